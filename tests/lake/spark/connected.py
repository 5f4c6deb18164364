"""Registers a lake in a session of Spark Connect, and writes what views give: connected.py LAKE FOLDER VIEWS..."""

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from runmart.lake.spark.views import register

if __name__ == "__main__":
    lake, folder, *names = sys.argv[1:]
    spark = SparkSession.builder.getOrCreate()
    register(spark, lake)
    ipc: Any = pa.ipc
    for name in names:
        table = spark.table(name).toArrow()
        with ipc.new_file(Path(folder, f"{name}.arrow"), table.schema) as file:
            file.write_table(table)
