"""Writes the generated parts of the documentation; a test compares them with the committed files.

The data dictionary is read from the comments of a new warehouse, not from the declarations.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runmart.ingest.warehouse.connection import open_for_writing
from runmart.models.quirks import QUIRKS, RENAMED
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
        lines.append(f"| {quirk.name} | {', '.join(quirk.fields)} | {sent} | {stored} | {_cell(quirk.why)} |")
    lines += [
        "",
        "Renamed fields, unless both names are sent:",
        "",
        "| sent as | stored as | reason |",
        "|---|---|---|",
    ]
    lines += [f"| {sent} | {known} | {why} |" for sent, known, why in RENAMED]
    lines += [
        "",
        "Missing fields and null fields are both null in the tables; an empty list of tools gives no rows in `tools`.",
        "JSON is stored without insignificant whitespace, except `extra`, which is kept byte for byte.",
        "",
    ]
    return "\n".join(lines)


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
