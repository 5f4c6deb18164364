"""Connections to DuckLakes: extensions of DuckDB, snapshots, credentials for the files, and errors in plain words.

The rows of a DuckLake are Parquet files in a folder or an object store; its catalog in PostgreSQL says which files
belong to which snapshot.
"""

import importlib.util
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import finalize

from runmart.ingest.errors import WarehouseError
from runmart.ingest.sql_text import quoted
from runmart.ingest.warehouse.backend import NAME
from runmart.ingest.warehouse.ducklake_address import DuckLakeAddress, connection_error, is_remote, without_password

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INLINED_ROWS = 0
"""The size in rows of inserts that go into the catalog instead of a file. Above 0, rows that a load deletes while files
are merged come back (DuckLake 1.5)."""

_EXTENSIONS = ("postgres_scanner", "ducklake")
_REMOTE = "httpfs"
_ATTEMPTS = 5

_IS_MISSING = "creating a new DuckLake is explicitly disabled"
_NO_REASON = "Failed to commit"
_KIND = re.compile(r"^(?:(?!INTERRUPT)[A-Za-z ]+ Error: )+")
_POSTGRES_SAYS = re.compile(r"(?:ERROR|FATAL): (.+)")
"""The text before it quotes statements, with values of rows."""
_CONNECTING = "Unable to connect to Postgres at "


def attach(
    lake: DuckLakeAddress, *, read_only: bool, memory: str | None = None, is_pinned: bool = True
) -> "DuckDBPyConnection | None":
    """A connection to a lake; None when its catalog is empty.

    Args:
        lake: The lake.
        read_only: Whether the connection can only read.
        memory: DuckDB's memory limit; by default most of the RAM.
        is_pinned: Whether a reader keeps seeing the snapshot that is the newest one now.

    Raises:
        WarehouseError: An extension is missing, PostgreSQL refuses, or the files are elsewhere than --data says.
    """
    connection = _prepared(memory)
    try:
        if not _attached(connection, lake, read_only=read_only):
            connection.close()
            return None
        if read_only and is_pinned:
            _pin(connection, lake)
        return _in_use(connection, lake)
    except BaseException:
        connection.close()
        raise


def create(lake: DuckLakeAddress, memory: str | None) -> "DuckDBPyConnection":
    """A connection to a lake, created if there is none; nobody else may create it at the same time.

    Raises:
        WarehouseError: As from `attach`; and when the address says nothing of where its files go.
    """
    if lake.data is None:
        raise WarehouseError(
            "its catalog is empty; to make a warehouse there, say where the files are to be: "
            "--data s3://BUCKET/FOLDER, or --data FOLDER for a folder that all machines share"
        )
    if not is_remote(lake.data):
        _make_folder(Path(lake.data))
    connection = _prepared(memory)
    try:
        _reach(connection, lake.data)
        options = f"data_path {quoted(lake.data)}, data_inlining_row_limit {INLINED_ROWS}"
        connection.execute(f"attach {quoted(lake.address)} as {NAME} ({options})")
        # For those who write from a shell, too. Later, with views in the lake, DuckLake 1.5 would crash over this.
        connection.execute(f"call {NAME}.set_option('data_inlining_row_limit', {INLINED_ROWS})")
        return _in_use(connection, lake)
    except BaseException:
        connection.close()
        raise


def explained(message: str, lake: DuckLakeAddress) -> str:
    """A message of DuckDB about a lake, as a sentence for people; without passwords."""
    text = message.replace(lake.catalog, without_password(lake.catalog))
    before, _, rest = text.partition(_CONNECTING)
    if rest:
        return connection_error(rest.partition('": ')[2])
    if said := _POSTGRES_SAYS.findall(before):
        return f"PostgreSQL refuses: {said[-1].strip()}"
    lines = [line for line in before.splitlines() if line.strip()] or ["no message"]
    sentence = lines[1] if len(lines) > 1 and _NO_REASON in lines[0] else lines[0].partition(". See ")[0]
    hint = "; are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set?" if "HTTP 403" in sentence else ""
    return f"{_KIND.sub('', sentence)}{hint}"


def _prepared(memory: str | None) -> "DuckDBPyConnection":
    """A database in memory with DuckLake's extensions; it spills to the system's temporary folder."""
    import duckdb

    folder = tempfile.mkdtemp(prefix="runmart-")  # nobody else may look into it
    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": folder,
        "autoinstall_known_extensions": False,  # see `load_extension`
    }
    connection = duckdb.connect(config=config if memory is None else {**config, "memory_limit": memory})
    finalize(connection, shutil.rmtree, folder, ignore_errors=True)
    try:
        for extension in _EXTENSIONS:
            load_extension(connection, extension)
    except BaseException:
        connection.close()
        raise
    return connection


def load_extension(connection: "DuckDBPyConnection", name: str) -> None:
    """Load an extension of DuckDB that is installed, or is in a Python package, or can be downloaded.

    Raises:
        WarehouseError: It can be had in none of these ways.
    """
    import duckdb

    reason = ""
    for statements in _ways(name):
        try:
            connection.execute(statements)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
        else:
            return
    raise WarehouseError(
        f"a shared warehouse needs DuckDB's extension {name}, which is not there for DuckDB {duckdb.__version__} and "
        f"cannot be downloaded ({reason}). Install it where there is a network (in a DuckDB {duckdb.__version__} "
        f"shell: install {name}), or: pip install 'duckdb=={_packaged(duckdb.__version__)}' "
        + " ".join(f"duckdb-extension-{one.replace('_', '-')}" for one in dict.fromkeys((*_EXTENSIONS, name)))
    )


def _packaged(version: str) -> str:
    """A version of DuckDB whose extensions are there as Python packages."""
    return version if version.startswith("1.5.") else "1.5.5"


def _ways(name: str) -> list[str]:
    """Statements that load an extension, the quickest first."""
    ways = [f"load {name}"]
    if path := _from_package(name):
        ways.append(f"load {quoted(str(path))}")
    return [*ways, f"install {name}; load {name}"]


def _from_package(name: str) -> Path | None:
    """The file of the extension in its Python package, such as duckdb-extension-ducklake."""
    import duckdb

    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    for folder in package.submodule_search_locations or () if package else ():
        path = Path(folder, "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension")
        if path.exists():
            return path
    return None


def _attached(
    connection: "DuckDBPyConnection", lake: DuckLakeAddress, *, read_only: bool, version: int | None = None
) -> bool:
    """Attach a lake; returns whether there is one."""
    import duckdb

    options = ["create_if_not_exists false", f"data_inlining_row_limit {INLINED_ROWS}"]
    options += ["read_only"] * read_only
    options += [] if version is None else [f"snapshot_version {version}"]
    statement = f"attach {quoted(lake.address)} as {NAME} ({', '.join(options)})"
    try:
        try:
            connection.execute(statement)
        except duckdb.Error as error:
            if _REMOTE not in str(error):
                raise
            load_extension(connection, _REMOTE)  # only the catalog knows that the files are elsewhere
            connection.execute(statement)
    except duckdb.Error as error:
        if _IS_MISSING in str(error):
            return False
        raise
    return True


def _pin(connection: "DuckDBPyConnection", lake: DuckLakeAddress) -> None:
    """Attach again at the newest snapshot, so that later writes are not seen."""
    import duckdb

    for attempt in range(_ATTEMPTS):
        version = snapshot(connection)
        connection.execute(f"detach {NAME}")
        try:
            _attached(connection, lake, read_only=True, version=version)
        except duckdb.Error:
            if attempt == _ATTEMPTS - 1:
                raise
            _attached(connection, lake, read_only=True)  # a prune has just expired that snapshot
        else:
            return


def snapshot(connection: "DuckDBPyConnection") -> int:
    """The number of the snapshot that a connection sees."""
    return connection.execute(f"select id from ducklake_current_snapshot('{NAME}')").fetchall()[0][0]


def _in_use(connection: "DuckDBPyConnection", lake: DuckLakeAddress) -> "DuckDBPyConnection":
    """The connection, with the lake as its default database, able to reach the lake's files."""
    data = data_path(connection)
    if lake.data is not None and lake.data.rstrip("/") != data.rstrip("/"):
        raise WarehouseError(f"its files are in {data}, not in {lake.data}; leave out --data, the catalog knows it")
    _reach(connection, data)
    connection.execute(f"use {NAME}; set timezone = 'UTC'")
    return connection


def _reach(connection: "DuckDBPyConnection", data: str) -> None:
    """Give DuckDB access to the files of a lake."""
    if is_remote(data):
        load_extension(connection, _REMOTE)
        if data.startswith(("s3://", "s3a://", "s3n://")):
            _sign_in(connection)


def data_path(connection: "DuckDBPyConnection") -> str:
    """The folder or URL of the lake's files."""
    return connection.execute(f"select data_path from ducklake_settings('{NAME}')").fetchall()[0][0]


def _sign_in(connection: "DuckDBPyConnection") -> None:
    """Let DuckDB use the credentials and the server in AWS_… environment variables, if there are any."""
    named = {
        "key_id": "AWS_ACCESS_KEY_ID",
        "secret": "AWS_SECRET_ACCESS_KEY",
        "session_token": "AWS_SESSION_TOKEN",
    }
    found = {option: os.environ[variable] for option, variable in named.items() if os.environ.get(variable)}
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        found["region"] = region
    if url := os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        parts = urlsplit(url)
        found |= {"endpoint": parts.netloc, "url_style": "path", "use_ssl": str(parts.scheme == "https").lower()}
    if found:
        options = ", ".join(f"{option} {quoted(value)}" for option, value in found.items())
        connection.execute(f"create or replace temporary secret runmart (type s3, {options})")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(f"{folder} (--data) cannot be made: {error.strerror or error}") from None
