"""A pull treats whatever a page holds as `runmart ingest` treats the same bytes."""

import asyncio
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from runmart.ingest.pipeline import ingest
from runmart.ingest.pull.client import Patience
from runmart.ingest.pull.providers import Server
from runmart.ingest.pull.request import Request
from runmart.ingest.pull.runner import pull
from runmart.ingest.pull.schedule import Selection
from runmart.ingest.warehouse.connection import open_for_writing
from tests.support.paths import ROOT
from tests.support.pull import contents
from tests.support.warehouse import empty, query

FOLDER = Path(os.environ.get("RUNMART_TEST_DATA", ROOT / "tests" / "data"))
DATA = sorted(path for path in FOLDER.rglob("*") if path.is_file() and ".tar" not in path.suffixes)
"""Archives are files of a folder, which no server sends as a page."""

NOTHING = b'{"object": "list", "data": [], "has_more": false}'
REJECTS = "select reason, json_path, raw, raw_encoding, items from runmart.rejects order by all"
STEPS = "select * exclude (observed_at, observed_position, load_id) from steps order by all"


class _Handler(BaseHTTPRequestHandler):
    """Answers `/threads/N/runs` by the bytes of a file, as the first and only page."""

    bodies: dict[str, bytes]
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet per answer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
        """Say nothing."""

    def do_GET(self) -> None:
        """Send the file of a thread."""
        url = urlsplit(self.path)
        is_first = not {"after", "before"} & parse_qs(url.query).keys()
        body = self.bodies[url.path.split("/")[2]] if is_first else NOTHING
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(name="port")
def _port() -> Iterator[int]:
    _Handler.bodies = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def everything(warehouse: Path) -> tuple[dict[str, list[tuple[Any, ...]]], Counter[Any], list[tuple[Any, ...]]]:
    """The rows of all tables, without where and when they were observed."""
    return contents(warehouse), Counter(query(warehouse, REJECTS)), query(warehouse, STEPS)


@pytest.mark.slow
def test_a_page_is_loaded_as_the_same_bytes_are(port: int, tmp_path: Path) -> None:
    """Each file of the test data, sent as a page of runs, gives the rows, rejects and steps that `ingest` gives."""
    files: list[str] = []
    for number, file in enumerate(DATA):
        name = f"thread_{number:05}"
        _Handler.bodies[name] = file.read_bytes()
        _Handler.bodies[f"{name}_good"] = NOTHING  # a pull ends after many threads in a row that cannot be read
        files.append(str(shutil.copy(file, tmp_path / f"{name}{file.suffix}")))
        os.utime(files[-1], (1_700_000_000 + number, 1_700_000_000 + number))
    warehouses = tmp_path / "pulled.duckdb", tmp_path / "ingested.duckdb"
    request = Request(
        Server(f"http://127.0.0.1:{port}", "compatible"),
        None,
        warehouses[0],
        "test",
        Selection(list(_Handler.bodies)),
        concurrency=1,
        patience=Patience(first_pause_seconds=0.001, longest_pause_seconds=0.001),
    )
    asyncio.run(pull(request))
    with open_for_writing(empty(warehouses[1]), 1) as writer:
        ingest(writer, files, source="test", workers=0)
    pulled, ingested = everything(warehouses[0]), everything(warehouses[1])
    assert len(ingested[0]["runs"]) > 80
    assert pulled == ingested
