"""Spark views: the views of `queries/` in a Spark session, over the tables of an export or a lake."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runmart.ingest.warehouse.prices import seed
from runmart.lake.distributed import manifests
from runmart.lake.parquet import schema
from runmart.lake.parquet.manifest import MANIFEST, ExportError, File, LakeMetadata, Manifest, decoded, read_manifest
from runmart.models.columns import BIGINT, BOOLEAN, DOUBLE, INTEGER, JSON, TIMESTAMPTZ, VARCHAR, Table
from runmart.models.tables.all import ALL_TABLES, OTHER_TABLES
from runmart.models.tables.bookkeeping import LOADS, REJECTS
from runmart.models.tables.prices import PRICES
from runmart.queries.catalog import View, prelude, views

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameReader, SparkSession

__all__ = ["register"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""A scheme; one letter would be a drive."""

_TYPES: dict[pa.DataType, str] = {
    VARCHAR: "string",
    JSON: "string",
    BIGINT: "bigint",
    INTEGER: "int",
    DOUBLE: "double",
    BOOLEAN: "boolean",
    TIMESTAMPTZ: "timestamp_ltz",  # `timestamp` is what the session says it is
}

_PARTITIONS = {"source": "string", "month": "string"}
"""Without types, Spark would take a source 007 for a number."""

_SOURCE = "coalesce(source, '')"
_DECODED_SOURCE = "coalesce(decode(encode(source, 'ISO-8859-1'), 'UTF-8'), '')"
"""Spark makes a character of each byte of a path."""

_RECURSION_LIMITS = ("spark.sql.cteRecursionLevelLimit", "spark.sql.cteRecursionRowLimit")
"""Settings that would end a query of turns of more than 100 responses, or of a million, with an error."""

_PATTERN = re.compile(r"[*?\[\]{}\\]")
"""Characters that stand for others in the paths that Spark is asked to read, unless a backslash is before them."""


def register(spark: "SparkSession", folder: "str | Path") -> None:
    """Register the tables of an export, or of a lake, and all views as temporary views of a Spark session.

    What the manifest names is registered, and nothing else that lies in the folder. To see what was exported or loaded
    later, register again: Spark keeps the list of files, and the next export replaces some.

    `runs`, `usage`, `tools`, `errors`, `steps`, `prices` and `model_aliases` are tables, `loads` and `rejects` the
    bookkeeping, which an export does not hold: there, they are empty. A lake has no prices of its own: there, they are
    those that come with runmart. A temporary view of your own that replaces one of these is what the views are made of
    from then on. Instants are the same in any time zone of the session; days and hours are in UTC. The session's
    limits of recursive queries are lifted, since chains of responses may be long.

    Args:
        spark: A session of Spark 4.1 or later, classic or Connect.
        folder: The export or the lake: a folder that every machine of Spark sees under this path, or a URL that Spark
            can read, such as `s3a://bucket/folder`.

    Raises:
        ExportError: It is none, or is not complete, or a file is missing.
        pyspark.errors.PySparkException: Spark fails.
    """
    from pyspark.errors import AnalysisException

    root = str(folder).rstrip("/") if _URL.match(str(folder)) else f"file:{Path(folder).resolve()}"
    try:
        _register(spark, root, _manifest(spark, folder))
    except AnalysisException as error:
        if error.getCondition() != "PATH_NOT_FOUND":
            raise
        path = (error.getMessageParameters() or {}).get("path", "a file")
        raise ExportError(f"{folder}: {path} is missing; export it again, or restore the file") from None


def _manifest(spark: "SparkSession", folder: "str | Path") -> Manifest:
    """What is in a folder, once it is known to be complete."""
    manifest = _manifest_of_url(spark, str(folder)) if _URL.match(str(folder)) else read_manifest(Path(folder))
    if manifest is None:
        raise ExportError(f"{folder}: it is no export of runmart, and no lake: there is no {MANIFEST}")
    if not manifest.is_complete:
        raise ExportError(f"{folder}: the export was cut short, or is being written; run it again, then register it")
    return manifest


def _manifest_of_url(spark: "SparkSession", url: str) -> Manifest | None:
    """What is behind a URL; None when there is no manifest."""
    from pyspark.errors import AnalysisException

    path = f"{url.rstrip('/')}/{MANIFEST}"
    try:
        [row] = spark.read.text(_plain(path), wholetext=True).collect()
    except AnalysisException as error:
        if error.getCondition() != "PATH_NOT_FOUND":
            raise
        return None
    return decoded(row[0].encode(), path)


def _register(spark: "SparkSession", root: str, manifest: Manifest) -> None:
    for table in reversed(ALL_TABLES):  # defaults of runs are computed from the others
        _partitioned(spark, root, table, manifest).createOrReplaceTempView(table.name)
    for name, frame in {**_others(spark, root, manifest), **_bookkeeping(spark, root, manifest.lake)}.items():
        frame.createOrReplaceTempView(name)
    for statement in prelude("spark").split(";\n"):
        if statement.strip():
            spark.sql(statement)
    for limit in _RECURSION_LIMITS:
        spark.conf.set(limit, "-1")
    for view in views():
        spark.sql(_created(view))


def _partitioned(spark: "SparkSession", root: str, table: Table[Any], manifest: Manifest) -> "DataFrame":
    """A table of runs, or the steps."""
    files = [one.files[table.name] for one in manifest.partitions if table.name in one.files]
    if not files:
        return _empty_table(spark, table)
    types = {column.name: _TYPES[column.type] for column in table.columns if column.name != "load_id"}
    reader = spark.read.schema(_listed({**types, **_PARTITIONS})).option("basePath", f"{root}/{table.name}")
    is_ascii = all(one.partition.source.isascii() for one in manifest.partitions)
    values = {"source": _DECODED_SOURCE if not is_ascii else _SOURCE, "load_id": "cast(null as bigint)"}
    return _union(reader, root, table, files, values)


def _union(
    reader: "DataFrameReader", root: str, table: Table[Any], files: Sequence[File], values: Mapping[str, str]
) -> "DataFrame":
    """The rows of files of any schema versions."""
    frames: list[DataFrame] = []
    for version in sorted({file.schema for file in files}):
        paths = _paths(root, [file for file in files if file.schema == version])
        frame = reader.parquet(*paths).selectExpr(*_selected(table, values))
        for defaults in expressions(table, version):
            frame = frame.alias(table.name).selectExpr(*defaults)
        frames.append(frame)
    return reduce(lambda one, other: one.union(other), frames)


def expressions(table: Table[Any], version: int) -> list[list[str]]:
    """Spark SQL that fills in the columns that files of a schema version lack, which Spark reads as typed nulls.

    Returns:
        For each migration since then, in order, an expression for each column of the table.
    """
    types = {column.name: _TYPES[column.type] for column in table.columns}
    return [
        _selected(table, {one.name: f"cast({one.spark_default or one.default} as {types[one.name]})" for one in added})
        for added in schema.added_since(table.name, version)
    ]


def _selected(table: Table[Any], values: Mapping[str, str]) -> list[str]:
    """The columns of a table, some of them computed."""
    return [f"{values.get(column.name, f'`{column.name}`')} as `{column.name}`" for column in table.columns]


def _others(spark: "SparkSession", root: str, manifest: Manifest) -> "dict[str, DataFrame]":
    """The tables that lie in no partitions; a lake has none of its own."""
    found = {table.name: _whole(spark, root, table, manifest.tables.get(table.name)) for table in OTHER_TABLES}
    if manifest.lake is not None and PRICES.name not in manifest.tables:
        rows = pa.Table.from_pylist([price._asdict() for price in seed()], PRICES.schema)
        found[PRICES.name] = spark.createDataFrame(rows)
    return found


def _bookkeeping(spark: "SparkSession", root: str, lake: LakeMetadata | None) -> "dict[str, DataFrame]":
    """Loads and rejects, which views are made of; an export has neither."""
    if lake is None:
        return {table.name: _empty_table(spark, table) for table in (LOADS, REJECTS)}
    loads = spark.createDataFrame(manifests.loads(lake)) if lake.loads else _empty_table(spark, LOADS)
    rejects = lake.bookkeeping.get(REJECTS.name, {}).values()
    return {LOADS.name: loads, REJECTS.name: _whole(spark, root, REJECTS, *rejects)}


def _whole(spark: "SparkSession", root: str, table: Table[Any], *files: File | None) -> "DataFrame":
    """A table without partitions."""
    there = [file for file in files if file is not None]
    if not there:
        return _empty_table(spark, table)
    types = {column.name: _TYPES[column.type] for column in table.columns}
    return _union(spark.read.schema(_listed(types)), root, table, there, {})


def _empty_table(spark: "SparkSession", table: Table[Any]) -> "DataFrame":
    columns = ", ".join(f"cast(null as {_TYPES[column.type]}) as `{column.name}`" for column in table.columns)
    return spark.sql(f"select {columns} where false")


def _paths(root: str, files: Iterable[File]) -> list[str]:
    return [_plain(f"{root}/{file.path}") for file in files]


def _plain(path: str) -> str:
    """A path that is no pattern."""
    return _PATTERN.sub(r"\\\g<0>", path)


def _listed(types: Mapping[str, str]) -> str:
    """A schema, as Spark reads it."""
    return ", ".join(f"`{name}` {kind}" for name, kind in types.items())


def _created(view: View) -> str:
    """What creates a view, with what its columns mean."""
    columns = ", ".join(f"{column.name} comment {_quoted(column.meaning)}" for column in view.columns)
    return f"create or replace temporary view {view.name} ({columns}) comment {_quoted(view.comment)} as {view.sql}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
