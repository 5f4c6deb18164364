"""The schema of a warehouse: created from the declared tables, brought up to date by numbered migrations."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runmart.ingest.errors import WarehouseError
from runmart.ingest.sql_text import quoted
from runmart.ingest.version import VERSION
from runmart.ingest.warehouse import backfill, prices
from runmart.models.columns import Table
from runmart.models.observations import RUN_CREATED_AT
from runmart.models.tables.all import ALL_TABLES, OTHER_TABLES, TABLES
from runmart.models.tables.bookkeeping import (
    BOOKKEEPING_TABLES,
    CONTENT_RULES,
    GIVEN_UP_RUNS,
    INSTALLED_VIEWS,
    LOADS,
    PRUNES,
    SCHEMA,
    SOURCES,
    THREADS,
    UNREAD_STEPS,
)
from runmart.models.tables.deployments import DEPLOYMENTS
from runmart.models.tables.neighbours import NEIGHBOURS
from runmart.models.tables.prices import MODEL_ALIASES, PRICES
from runmart.models.tables.runs import RUNS
from runmart.models.tables.steps import STEPS
from runmart.models.tables.tools import DIGEST, SPARK_DIGEST

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runmart.ingest.warehouse.writer import Writer


@dataclass(frozen=True, slots=True)
class AddedColumn:
    """A column that a migration adds to a table that earlier versions have."""

    table: str
    name: str
    default: str = "null"
    """Its value in rows of earlier versions: SQL over `TABLE.COLUMN` of the row, and over other tables by name."""
    spark_default: str | None = None
    """The same in Spark's SQL; None where `default` is also that."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from a version of the schema to the next."""

    version: int
    description: str
    apply: Callable[["DuckDBPyConnection"], None]
    adds: tuple[AddedColumn, ...] = ()
    """Columns that exports and lakes of earlier versions lack, too; their files are never rewritten for that."""


def create_tables(connection: "DuckDBPyConnection", *, has_comments: bool = True) -> None:
    """Create the tables and the bookkeeping tables, with their comments, which take most of the time."""
    connection.execute(f"create schema if not exists {SCHEMA}")
    for schema, table in _declared():
        _create_table(connection, schema, table, has_comments=has_comments)


def _declared() -> "Iterator[tuple[str, Table[Any]]]":
    """All tables, each with its schema."""
    yield from (("main", table) for table in (*ALL_TABLES, *OTHER_TABLES))
    yield from ((SCHEMA, table) for table in BOOKKEEPING_TABLES)


def _create_table(
    connection: "DuckDBPyConnection", schema: str, table: Table[Any], *, has_comments: bool = True
) -> None:
    name = f"{schema}.{table.name}"
    columns = ", ".join(f"{column.name} {column.duckdb_type}" for column in table.columns)
    comments = [f"comment on table {name} is {quoted(f'{table.purpose} Grain: {table.grain}.')}"]
    comments += [f"comment on column {name}.{column.name} is {quoted(column.meaning)}" for column in table.columns]
    connection.execute(";".join([f"create table if not exists {name} ({columns})", *comments * has_comments]))


def add_run_created_at(connection: "DuckDBPyConnection") -> None:
    """Add the creation time of the run to its child rows."""
    for table in TABLES:
        if RUN_CREATED_AT not in table.columns:
            continue
        name = f"main.{table.name}"
        connection.execute(f"alter table {name} add column if not exists run_created_at timestamp with time zone")
        connection.execute(f"""
            update {name} set run_created_at = runs.created_at
            from main.runs where runs.run_id = {table.name}.run_id""")
        connection.execute(f"comment on column {name}.run_created_at is {quoted(RUN_CREATED_AT.meaning)}")


def add_installed_views(connection: "DuckDBPyConnection") -> None:
    """Add the digest of the installed views."""
    _create_table(connection, SCHEMA, INSTALLED_VIEWS)


def add_threads(connection: "DuckDBPyConnection") -> None:
    """Add the state of pulled threads."""
    for table in (THREADS, GIVEN_UP_RUNS):
        _create_table(connection, SCHEMA, table)


def add_steps(connection: "DuckDBPyConnection") -> None:
    """Add the steps of runs, and their number in `runmart.loads`."""
    _create_table(connection, "main", STEPS)
    _add_count(connection, "steps")


def _add_count(connection: "DuckDBPyConnection", column: str) -> None:
    """Add a column of numbers to `runmart.loads`; 0 in existing rows."""
    name, [added] = f"{SCHEMA}.{LOADS.name}", [declared for declared in LOADS.columns if declared.name == column]
    columns = {column for column, *_ in connection.execute(f"describe {name}").fetchall()}
    if column not in columns:
        connection.execute(f"alter table {name} add column {column} {added.duckdb_type} default 0")
        connection.execute(f"comment on column {name}.{column} is {quoted(added.meaning)}")


def add_prices(connection: "DuckDBPyConnection") -> None:
    """Add prices, starting with the bundled ones, and aliases of models."""
    for table in (PRICES, MODEL_ALIASES):
        _create_table(connection, "main", table)
    prices.put(connection, prices.seed())


def add_rules(connection: "DuckDBPyConnection") -> None:
    """Add the redaction policy, and the record of prunes."""
    for table in (CONTENT_RULES, PRUNES):
        _create_table(connection, SCHEMA, table)
    _add_count(connection, "pruned")


def add_tool_sums(connection: "DuckDBPyConnection") -> None:
    """Add the number of tools of each run, and the digest of its list of tools; see `backfill`.

    The table is rewritten: rows that an update replaces would have to fit into memory.
    """
    there = {column for column, *_ in connection.execute("describe main.runs").fetchall()}
    if not set(backfill.SUMS) <= there:
        connection.execute("alter table main.runs rename to runs_before")
        _create_table(connection, "main", RUNS)
        backfill.add_tool_sums(connection, "main.runs_before", "main.runs")
        connection.execute("drop table main.runs_before")


def add_sources(connection: "DuckDBPyConnection") -> None:
    """Add the state of pulled sources, and have their threads read again from the beginning.

    The watermarks of earlier versions may lie in the future, or come from runs that were rejected, and hide runs.
    """
    _create_table(connection, SCHEMA, SOURCES)
    _create_table(connection, SCHEMA, UNREAD_STEPS)
    for name in ("read_at", "gap_read_at", "paging"):
        _add_column(connection, AddedColumn(THREADS.name, name))
    connection.execute(f"""
        update {SCHEMA}.{THREADS.name} set
            state = 'listed', newest_run_id = null, newest_created_at = null, page_digest = null,
            gap_after = null, gap_until_run_id = null, gap_until = null, error = null
        where state <> 'gone'""")


def add_responses(connection: "DuckDBPyConnection") -> None:
    """Add the columns of responses, and the tables beside runs."""
    for column in RESPONSE_COLUMNS:
        _add_column(connection, column)
    for table in (*NEIGHBOURS, DEPLOYMENTS):
        _create_table(connection, "main", table)
    prices.complete(connection)


def adding(version: int, description: str, *columns: AddedColumn) -> Migration:
    """A migration that adds declared columns, filled with their defaults."""

    def apply(connection: "DuckDBPyConnection") -> None:
        for column in columns:
            _add_column(connection, column)

    return Migration(version, description, apply, columns)


def _add_column(connection: "DuckDBPyConnection", column: AddedColumn) -> None:
    [(schema, table)] = [(schema, table) for schema, table in _declared() if table.name == column.table]
    [declared] = [one for one in table.columns if one.name == column.name]
    name = f"{schema}.{table.name}"
    connection.execute(f"alter table {name} add column if not exists {column.name} {declared.duckdb_type}")
    if column.default != "null":
        connection.execute(f"update {name} set {column.name} = {column.default}")
    connection.execute(f"comment on column {name}.{column.name} is {quoted(declared.meaning)}")


TOOL_SUMS = (
    AddedColumn("runs", "tool_count", "(select count(*) from tools where tools.run_id = runs.run_id)"),
    AddedColumn(
        "runs",
        "tools_digest",
        f"(select {DIGEST} from tools where tools.run_id = runs.run_id)",
        f"(select {SPARK_DIGEST} from tools where tools.run_id = runs.run_id)",
    ),
)

PACK_COLUMNS = (
    AddedColumn("rejects", "items", "1"),
    AddedColumn("rejects", "last_position"),
    AddedColumn("rejects", "last_line"),
)

RESPONSE_COLUMNS = (
    *(AddedColumn("runs", name) for name in ("previous_run_id", "assistant_version", "service_tier", "background")),
    *(AddedColumn("runs", name) for name in ("is_batch", "duration_seconds", "latency_source", "waits_for_client")),
    *(AddedColumn("usage", name) for name in ("cache_write_tokens", "reported_cost", "reported_cost_currency")),
    *(AddedColumn("steps", name) for name in ("position", "item_id", "name")),
    *(AddedColumn("prices", name) for name in ("cache_write", "batch_factor", "flex_factor", "priority_factor")),
    *(AddedColumn("prices", name) for name in ("tool", "per_call")),
    *(AddedColumn(LOADS.name, table.name, "0") for table in NEIGHBOURS),
)

MIGRATIONS = (
    Migration(1, "create the tables", create_tables),
    Migration(2, "add run_created_at to usage, tools and errors", add_run_created_at),
    Migration(3, "add runmart.installed_views", add_installed_views),
    Migration(4, "add runmart.threads and runmart.given_up_runs", add_threads),
    Migration(5, "add steps, and their number in runmart.loads", add_steps),
    Migration(6, "add prices and model_aliases", add_prices),
    Migration(7, "add runmart.content_rules and runmart.prunes", add_rules),
    Migration(8, "add tool_count and tools_digest to runs", add_tool_sums, TOOL_SUMS),
    adding(9, "add items, last_position and last_line to runmart.rejects", *PACK_COLUMNS),
    Migration(
        10,
        "add runmart.sources and runmart.unread_steps, and read threads again whose watermarks may hide runs",
        add_sources,
    ),
    Migration(
        11,
        "add columns of responses, request_failures, webhook_events, organization_usage and deployments",
        add_responses,
        RESPONSE_COLUMNS,
    ),
)
"""In order. A released migration is never changed: a new one follows it, made by `adding` where it adds columns."""


_NAMED = 3
"""The most tables that a message names."""


def schema_version(connection: "DuckDBPyConnection") -> int:
    """The version of the warehouse's schema; 0 when it is no warehouse."""
    found = connection.execute(f"""
        select 1 from duckdb_tables()
        where database_name = current_database() and schema_name = '{SCHEMA}' and table_name = 'schema_version'
        """).fetchall()
    if not found:
        return 0
    [(version,)] = connection.execute(f"select max(version) from {SCHEMA}.schema_version").fetchall()
    return version or 0


def foreign(connection: "DuckDBPyConnection") -> str:
    """The tables and views of a database that is no warehouse, in words; empty when there are none.

    Those in other schemas than `main` count, too: whoever made them did not mean to make a warehouse of their database.
    """
    found = connection.execute(f"""
        with names as (
            select schema_name || '.' || table_name as name from duckdb_tables()
            where database_name = current_database() and schema_name <> '{SCHEMA}' and not internal
            union
            select schema_name || '.' || view_name as name from duckdb_views()
            where database_name = current_database() and schema_name <> '{SCHEMA}' and not internal
        )
        select name, count(*) over () from names order by name limit {_NAMED}""").fetchall()
    more = f" and {found[0][1] - _NAMED:,} more" if found and found[0][1] > _NAMED else ""
    return ", ".join(name for name, _ in found) + more


def migrate(writer: "Writer", migrations: tuple[Migration, ...] | None = None) -> None:
    """Bring the schema up to date by `MIGRATIONS` or others, each migration and its record in one transaction.

    Raises:
        WarehouseError: The schema is newer than this version of runmart; or it is no warehouse, and not empty.
    """
    connection = writer.connection
    migrations = MIGRATIONS if migrations is None else migrations
    version, newest = schema_version(connection), migrations[-1].version
    if version == 0 and (names := foreign(connection)):
        raise WarehouseError(
            f"it holds tables or views that are not runmart's ({names}); name another --warehouse, which is created if "
            "need be"
        )
    if version > newest:
        raise WarehouseError(
            f"it has schema version {version}, made by a newer runmart; this one ({VERSION}) knows {newest}: upgrade it"
        )
    for migration in migrations[version:]:
        with writer.transaction():
            migration.apply(connection)
            connection.execute(
                f"insert into {SCHEMA}.schema_version values (?, ?, now(), ?)",
                [migration.version, migration.description, VERSION],
            )


def is_current(connection: "DuckDBPyConnection") -> bool:
    """Whether the schema is up to date."""
    return schema_version(connection) == MIGRATIONS[-1].version
