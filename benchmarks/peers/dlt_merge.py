"""Peer: dlt merges runs by id into DuckDB. Arguments: WAREHOUSE FOLDER. Needs an environment with dlt[duckdb]."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt  # pyright: ignore[reportMissingImports]


def pages(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """The runs of each page."""
    for path in sorted(folder.iterdir()):
        yield json.loads(path.read_bytes())["data"]


def main() -> None:
    """Load."""
    warehouse, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as state:
        pipeline: Any = dlt.pipeline(  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            "runs", pipelines_dir=state, destination=dlt.destinations.duckdb(warehouse), dataset_name="main"
        )
        pipeline.run(pages(Path(folder)), table_name="runs", write_disposition="merge", primary_key="id")


if __name__ == "__main__":
    main()
