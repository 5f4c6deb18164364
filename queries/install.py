"""Views get into a warehouse: created or replaced, each with its comments."""

from typing import TYPE_CHECKING

from runmart.queries.catalog import prelude, views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def install(connection: "DuckDBPyConnection") -> None:
    """Create or replace all views and the functions they use, in one transaction.

    The warehouse's four tables must be there.

    Raises:
        duckdb.Error: They are not, or the connection is read-only.
    """
    connection.execute("begin")
    try:
        connection.execute(prelude("duckdb"))
        for view in views():
            connection.execute(f"create or replace view {view.name} as {view.sql}")
            comments = [f"comment on view {view.name} is {_quoted(view.comment)}"]
            comments += [
                f"comment on column {view.name}.{column.name} is {_quoted(column.meaning)}" for column in view.columns
            ]
            connection.execute(";".join(comments))
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
