"""Installation of the views in a warehouse, with their comments."""

import re
from typing import TYPE_CHECKING

from runmart.ingest.digest import content_digest
from runmart.ingest.sql_text import quoted
from runmart.queries.catalog import prelude, views

if TYPE_CHECKING:
    from runmart.ingest.warehouse.writer import Writer

_FOUND = """
    select view_name, comment, null, null from duckdb_views()
    where database_name = current_database() and schema_name = 'main' and list_contains($1, view_name)
    union all
    select table_name, column_name, data_type, column_index from duckdb_columns()
    where database_name = current_database() and schema_name = 'main' and list_contains($1, table_name)
    union all
    select function_name, replace(lower(macro_definition), '"', ''), array_to_string(parameters, ', '), null
    from duckdb_functions()
    where database_name = current_database() and schema_name = 'main' and list_contains($2, function_name)
    order by all"""
"""Comments and columns of the views $1, and definitions of the functions $2, as they are in the database.

The SQL of views cannot be compared, since DuckDB prints it differently after the file was opened again. But a view that
a user has replaced has lost its comment, or has other columns. In functions only the case and the quotes of types
differ.
"""


def install(writer: "Writer") -> None:
    """Create or replace all views and the functions they use, in one transaction, unless they are up to date.

    The tables of the warehouse must exist.

    Raises:
        duckdb.Error: A table is missing.
    """
    if not _is_current(writer):
        writer.with_write_lock(lambda: _install(writer))


def _is_current(writer: "Writer") -> bool:
    return (_installed_digest(writer),) in writer.connection.execute(
        "select digest from runmart.installed_views"
    ).fetchall()


def _install(writer: "Writer") -> None:
    connection = writer.connection
    if _is_current(writer):
        return  # another process was first
    with writer.transaction():
        connection.execute(prelude("duckdb"))
        for view in views():
            connection.execute(f"create or replace view {view.name} as {view.sql}")
            comments = [f"comment on view {view.name} is {quoted(view.comment)}"]
            if writer.has_column_comments:
                comments += [
                    f"comment on column {view.name}.{column.name} is {quoted(column.meaning)}"
                    for column in view.columns
                ]
            connection.execute(";".join(comments))
        connection.execute("delete from runmart.installed_views")
        connection.execute("insert into runmart.installed_views values (?)", [_installed_digest(writer)])


def _installed_digest(writer: "Writer") -> str:
    """A digest of the views and functions as they should be, and of what the database says of those that are in it.

    Without comments on columns it is another digest, so that a file that was published from a DuckLake gets them.
    """
    texts = [prelude("duckdb"), *(text for view in views() for text in (view.name, view.sql))]
    names = [view.name for view in views()], re.findall(r"create or replace macro (\w+)", prelude("duckdb"))
    texts += map(repr, writer.connection.execute(_FOUND, names).fetchall())
    texts += ["without comments on columns"] * (not writer.has_column_comments)
    return content_digest("\0".join(texts).encode())
