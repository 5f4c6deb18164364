"""Deployments: rules that say which runs served one purpose before and after a migration, from CSV to a warehouse."""

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runmart.ingest.errors import RunmartError
from runmart.models.tables.deployments import DEPLOYMENTS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REQUIRED = ("deployment", "side", "match_kind", "match_value")
OPTIONAL = ("source", "valid_from", "valid_to")
IGNORED = ("reason",)
"""What `runmart deployments suggest` adds for people."""

SIDES = ("before", "after")
MATCH_KINDS = ("assistant_id", "agent_name", "prompt_id", "instructions_digest", "model")
METADATA = "metadata:"
"""Begins a kind of match that names a key of metadata."""


class DeploymentError(RunmartError):
    """Rules of deployments cannot be read, or are invalid."""


class Rule(NamedTuple):
    """One rule: runs with a value belong to a side of a deployment."""

    deployment: str
    side: str
    match_kind: str
    match_value: str
    source: str | None = None
    """None for all."""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    """Exclusive."""


def read(path: Path) -> list[Rule]:
    """The rules in a CSV file with the columns of the table.

    Raises:
        DeploymentError: It cannot be read, or a line is invalid.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return parsed(csv.DictReader(file, strict=True), str(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV in UTF-8"
        raise DeploymentError(f"{path} cannot be read: {reason}") from None


def parsed(rows: "csv.DictReader[str]", name: str) -> list[Rule]:
    """The rules in the rows of a CSV file.

    Raises:
        DeploymentError: A column is missing or unknown, a value is invalid, or a rule is there twice.
    """
    columns = set(rows.fieldnames or ())
    missing = [column for column in REQUIRED if column not in columns]
    unknown = sorted(columns - {*REQUIRED, *OPTIONAL, *IGNORED})
    if missing or unknown:
        what = f"the column {missing[0]} is missing" if missing else f"there is no column {unknown[0]!r}"
        raise DeploymentError(f"{name}: {what}; the columns are {', '.join((*REQUIRED, *OPTIONAL))}")
    found: dict[tuple[str, str, str, str], int] = {}
    rules: list[Rule] = []
    for row in rows:
        rule = _rule(row, f"{name}, line {rows.line_num}")
        first = found.setdefault(rule[:4], rows.line_num)
        if first != rows.line_num:
            raise DeploymentError(
                f"{name}, line {rows.line_num}: the rule of line {first} again; leave one of them out"
            )
        rules.append(rule)
    return rules


def _rule(row: Mapping[str | None, str | list[str] | None], where: str) -> Rule:
    if None in row:
        raise DeploymentError(f"{where}: there are more values than columns; quote values with commas")
    given = {str(column): str(value or "").strip() for column, value in row.items()}
    empty = [column for column in REQUIRED if not given[column]]
    if empty:
        raise DeploymentError(f"{where}: {empty[0]} is empty")
    _check(given["side"] in SIDES, f"{where}: side must be before or after, not {given['side']!r}")
    kind = given["match_kind"]
    is_known = kind in MATCH_KINDS or (kind.startswith(METADATA) and kind != METADATA)
    _check(is_known, f"{where}: match_kind must be one of {', '.join(MATCH_KINDS)} or {METADATA}KEY, not {kind!r}")
    since, until = (_instant(given.get(name, ""), f"{where}: {name}") for name in ("valid_from", "valid_to"))
    if since is not None and until is not None:
        _check(since < until, f"{where}: valid_to must be later than valid_from")
    return Rule(
        given["deployment"], given["side"], kind, given["match_value"], given.get("source") or None, since, until
    )


def _check(is_right: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not is_right:
        raise DeploymentError(message)


def _instant(text: str, where: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DeploymentError(f"{where} must be a date such as 2026-06-01, not {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def put(connection: "DuckDBPyConnection", rules: Iterable[Rule]) -> None:
    """Insert rules, in the open transaction; those of the same deployment, side, kind and value are replaced."""
    columns = list(zip(*rules, strict=True))
    if not columns:
        return
    types = {column.name: column.duckdb_type for column in DEPLOYMENTS.columns}
    given = ", ".join(f"cast(unnest(?) as {types[name]}) as {name}" for name in Rule._fields)
    values = [[_sent(value) for value in column] for column in columns]
    connection.execute(f"create or replace temp table new_rules as select {given}", values)
    same = " and ".join(f"old.{name} = new.{name}" for name in REQUIRED)
    connection.execute(f"delete from main.deployments as old using new_rules as new where {same}")
    names = ", ".join(Rule._fields)
    connection.execute(f"insert into main.deployments ({names}) select {names} from new_rules")
    connection.execute("drop table new_rules")


def _sent(value: object) -> object:
    """A value as it is bound: instants as text, since DuckDB needs another package for others."""
    return value.isoformat() if isinstance(value, datetime) else value
