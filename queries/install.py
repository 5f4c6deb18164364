"""Views get into a warehouse: created or replaced, each with its comments."""

from typing import TYPE_CHECKING

from runmart.ingest.digest import content_digest
from runmart.queries.catalog import prelude, views

if TYPE_CHECKING:
    from runmart.ingest.warehouse.writer import Writer


def install(writer: "Writer") -> None:
    """Create or replace all views and the functions they use, in one transaction, unless these very ones are there.

    The warehouse's tables must be there.

    Raises:
        duckdb.Error: They are not.
    """
    if not _is_current(writer):
        writer.with_write_lock(lambda: _install(writer))


def _is_current(writer: "Writer") -> bool:
    return (_digest(writer),) in writer.connection.execute("select digest from runmart.installed_views").fetchall()


def _install(writer: "Writer") -> None:
    connection = writer.connection
    if _is_current(writer):
        return  # another process was first
    with writer.transaction():
        connection.execute(prelude("duckdb"))
        for view in views():
            connection.execute(f"create or replace view {view.name} as {view.sql}")
            comments = [f"comment on view {view.name} is {_quoted(view.comment)}"]
            if writer.has_column_comments:
                comments += [
                    f"comment on column {view.name}.{column.name} is {_quoted(column.meaning)}"
                    for column in view.columns
                ]
            connection.execute(";".join(comments))
        connection.execute("delete from runmart.installed_views")
        connection.execute("insert into runmart.installed_views values (?)", [_digest(writer)])


def _digest(writer: "Writer") -> str:
    """A digest of the views as they should be, and of the comments on those that are in the database.

    DuckDB prints the SQL of many views differently once their file was opened again, so their SQL cannot be compared.
    Comments can: a view that somebody has replaced or dropped has lost its comment. Without comments on columns it is
    another digest, so that a file that was published from a DuckLake gets them.
    """
    found = writer.connection.execute("""
        select view_name, comment from duckdb_views()
        where schema_name = 'main' and not internal order by all""").fetchall()
    ours = {view.name: view.sql for view in views()}
    texts = [prelude("duckdb"), *(text for item in ours.items() for text in item)]
    texts += [f"{name}: {comment}" for name, comment in found if name in ours]
    texts += ["without comments on columns"] * (not writer.has_column_comments)
    return content_digest("\0".join(texts).encode())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
