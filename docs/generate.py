"""Writes the generated parts of the documentation; a test compares them with the committed files.

The data dictionary is read from the comments of a new warehouse, not from the declarations.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runmart.ingest.warehouse.connection import open_for_writing
from runmart.models.depth import MAX_DEPTH
from runmart.models.quirks import GROUPS, QUIRKS, RENAMED, Quirk
from runmart.queries import install

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FOLDER = Path(__file__).parent

_RELATIONS = """
    select schema_name, table_name, comment, 'table' as kind, table_oid from duckdb_tables()
    where database_name = current_database() and not temporary
    union all
    select schema_name, view_name, comment, 'view' as kind, view_oid from duckdb_views()
    where database_name = current_database() and not internal and not temporary
    order by kind, schema_name, table_oid"""

_COLUMNS = """
    select column_name, data_type, comment from duckdb_columns()
    where database_name = current_database() and schema_name = ? and table_name = ?
    order by column_index"""

_HEADINGS = {
    ("table", "main"): "Tables",
    ("table", "runmart"): "Bookkeeping (schema `runmart`)",
    ("view", "main"): "Views",
}

_NAMES = """## Names

A field, and a known member within one, is found by the letters and digits of its name: `createdAt`, `CreatedAt`,
`CREATED_AT`, `created-at` and `Created At` are `created_at`. So are the columns into which data frames flatten
objects: `usage.prompt_tokens`, `usage[prompt_tokens]`, `metadata.team` and, where the member is known,
`usage_prompt_tokens`; all of them null is null. If the field itself is sent as well, with a value, the others are
kept in `extra`. Names that begin with another character (`_id`, `$id`, `@id`) are those of a database or a
serialiser, and fill nothing.
"""

_REJECTED = f"""Counts of another meaning stay in `details`: Anthropic's `cache_read_input_tokens` are no part of its
input tokens, and the members of Gemini's usage are none of these.

## Rejected

- A time without an offset from UTC, and one before the year 1 or after 9999.
- A text in the place of an object that PowerShell (`@{{…}}`, `System.Object[]`) or Python (`{{'a': 1}}`,
  `Run(id=…)`) left there instead of JSON. The reason says how to write the input again.
- A record that is nested more than {MAX_DEPTH} levels deep, itself included."""


def data_dictionary() -> str:
    """Tables, bookkeeping and views with their columns, types and meanings, as Markdown."""
    with tempfile.TemporaryDirectory() as folder, open_for_writing(Path(folder) / "w.duckdb", 0) as writer:
        install(writer)
        return "\n".join(_dictionary(writer.connection)) + "\n"


def _dictionary(connection: "DuckDBPyConnection") -> list[str]:
    lines = [
        "# Data dictionary",
        "",
        "Generated from a new warehouse by `make docs`. Timestamps are in UTC, durations in seconds.",
    ]
    heading = ""
    for schema, name, comment, kind, _ in connection.execute(_RELATIONS).fetchall():
        if _HEADINGS[kind, schema] != heading:
            heading = _HEADINGS[kind, schema]
            lines += ["", f"## {heading}"]
        lines += ["", f"### {name}", "", comment, "", "| column | type | meaning |", "|---|---|---|"]
        lines += [
            f"| {column} | {data_type} | {_cell(meaning)} |"
            for column, data_type, meaning in connection.execute(_COLUMNS, [schema, name]).fetchall()
        ]
    return lines


def quirks() -> str:
    """The normalisations of quirks, as Markdown."""
    lines = [
        "# Normalised quirks",
        "",
        "Differences between servers, and how they are normalised. Generated from `models/quirks.py` by `make docs`.",
    ]
    lines += ["", "| quirk | fields | example | stored as | reason |", "|---|---|---|---|---|"]
    for quirk in QUIRKS:
        sent, stored = (f"`{text}`" for text in quirk.example)
        lines.append(f"| {quirk.name} | {_fields(quirk)} | {_cell(sent)} | {stored} | {_cell(quirk.why)} |")
    lines += ["", "Fields of one type:", ""]
    lines += [f"- *{name}*: {', '.join(f'`{field}`' for field in fields)}" for name, fields in GROUPS.items()]
    lines += [
        "",
        _NAMES,
        "Renamed fields, unless both names are sent:",
        "",
        "| sent as | stored as | reason |",
        "|---|---|---|",
    ]
    lines += [f"| {sent} | {known} | {why} |" for sent, known, why in RENAMED]
    lines += [
        "",
        _REJECTED,
    ]
    lines += [
        "",
        "Missing fields and null fields are both null in the tables; an empty list of tools gives no rows in `tools`.",
        "JSON is stored without insignificant whitespace, except `extra`, which is kept byte for byte.",
        "",
    ]
    return "\n".join(lines)


def _fields(quirk: Quirk) -> str:
    """The fields of a quirk; where they are all those of one type, its name."""
    left, names = list(quirk.fields), list[str]()
    for name, fields in GROUPS.items():
        if set(fields) <= set(left):
            names.append(f"*{name}*")
            left = [field for field in left if field not in fields]
    return ", ".join([*left, *names])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


GENERATED = {"data-dictionary.md": data_dictionary, "quirks.md": quirks}
"""Generated files, with the functions that return their text."""


def main() -> None:
    """Write the files."""
    for name, make in GENERATED.items():
        (FOLDER / name).write_text(make())


if __name__ == "__main__":
    main()
