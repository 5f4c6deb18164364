"""Text for SQL statements of DuckDB that take no parameters, such as `attach`, `copy` and `comment on`."""


def quoted(value: object) -> str:
    """`value`, such as a text or a path, as a string literal."""
    return "'" + str(value).replace("'", "''") + "'"
