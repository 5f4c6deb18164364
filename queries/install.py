"""Views get into a warehouse: created or replaced, each with its comments."""

import hashlib
from typing import TYPE_CHECKING

from runmart.ingest.warehouse.ducklake import is_lake
from runmart.ingest.warehouse.write_lock import in_turn, transaction
from runmart.queries.catalog import prelude, views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def install(connection: "DuckDBPyConnection") -> None:
    """Create or replace all views and the functions they use, in one transaction, unless these very ones are there.

    The warehouse's tables must be there.

    Raises:
        duckdb.Error: They are not, or the connection is read-only.
    """
    if not _is_current(connection):
        in_turn(connection, lambda: _install(connection))


def _is_current(connection: "DuckDBPyConnection") -> bool:
    return (_digest(connection),) in connection.execute("select digest from runmart.installed_views").fetchall()


def _install(connection: "DuckDBPyConnection") -> None:
    if _is_current(connection):
        return  # somebody else was first
    has_column_comments = not is_lake(connection)  # DuckLake has them on tables only
    with transaction(connection):
        connection.execute(prelude("duckdb"))
        for view in views():
            connection.execute(f"create or replace view {view.name} as {view.sql}")
            comments = [f"comment on view {view.name} is {_quoted(view.comment)}"]
            if has_column_comments:
                comments += [
                    f"comment on column {view.name}.{column.name} is {_quoted(column.meaning)}"
                    for column in view.columns
                ]
            connection.execute(";".join(comments))
        connection.execute("delete from runmart.installed_views")
        connection.execute("insert into runmart.installed_views values (?)", [_digest(connection)])


def _digest(connection: "DuckDBPyConnection") -> str:
    """A digest of the views as they should be, and of the comments on those that are in the database.

    DuckDB prints the SQL of many views differently once their file was opened again, so their SQL cannot be compared.
    Comments can: a view that somebody has replaced or dropped has lost its comment. A file that is a copy of
    a DuckLake has the lake's digest and lacks comments on columns, so where the database is kept counts, too.
    """
    found = connection.execute("""
        select view_name, comment from duckdb_views()
        where schema_name = 'main' and not internal order by all""").fetchall()
    ours = {view.name: view.sql for view in views()}
    texts = [prelude("duckdb"), f"is a lake: {is_lake(connection)}", *(text for item in ours.items() for text in item)]
    texts += [f"{name}: {comment}" for name, comment in found if name in ours]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
