"""Rejects: they are listed, stored once, and can be retried."""

import json
from pathlib import Path

import duckdb

from runmart.models.tables.runs import RUNS
from tests.support.command import command
from tests.support.warehouse import load, page, query, run, tables, write

BAD = b'{"object":"list","data":[{"id":"a","status":"queued"},{"id":"b","status":"queued","created_at":"soon"}]}'


def test_rejects_are_shown_with_place_and_reason(warehouse: Path, pages: Path) -> None:
    """`runmart rejects` lists them as a table, or as JSON with the raw text."""
    write(pages / "bad.json", BAD)
    load(warehouse, pages, source="acme")
    shown = command("rejects", "-w", warehouse)
    assert shown.returncode == 0
    assert "bad.json" in "".join(shown.stdout.split())
    assert "soon" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    [reject] = json.loads(command("rejects", "-w", warehouse, "--json").stdout)
    assert json.loads(reject["raw"]) == {"id": "b", "status": "queued", "created_at": "soon"}
    assert (reject["source"], reject["position"], reject["line"]) == ("acme", 1, 1)
    assert reject["json_path"] == "$.data[1].created_at"


def test_rejects_are_kept_once(warehouse: Path, pages: Path) -> None:
    """Loading the same input again does not double its rejects, and still ends with 3."""
    write(pages / "bad.json", BAD)
    for _ in range(3):
        assert command("ingest", pages, "-w", warehouse, "--reload").returncode == 3
    assert query(warehouse, "select count(*), min(load_id) from runmart.rejects") == [(1, 1)]
    assert command("ingest", pages, "-w", warehouse).returncode == 0, "nothing was read, so nothing was rejected"


def test_an_input_that_can_be_read_again_has_no_reject_that_says_otherwise(warehouse: Path, pages: Path) -> None:
    """A download that failed and was repeated is no longer a reject."""
    path = write(pages / "page.json", b"")
    assert command("ingest", pages, "-w", warehouse).returncode == 3
    write(path, page(run("a")))
    assert command("ingest", pages, "-w", warehouse).returncode == 0
    assert query(warehouse, "select count(*) from runmart.rejects") == [(0,)]


def test_retry_loads_what_can_be_decoded_now(warehouse: Path, pages: Path) -> None:
    """`rejects --retry` decodes again after an upgrade or a fix and clears those that now load."""
    good = {"id": "b", "status": "completed", "created_at": 5, "usage": {"total_tokens": 4}}
    write(pages / "bad.json", BAD, 1_750_000_000)
    load(warehouse, pages, source="acme")
    with duckdb.connect(warehouse) as connection:  # as if an older version had not known what this one knows
        connection.execute(
            """
            insert into runmart.rejects
            select
                2, 1, 'acme', 'old.json', 7, 3, make_timestamptz(1750000000000000), 'unknown', '$', ?, 'utf-8', 1,
                null, null""",
            [json.dumps(good)],
        )
    done = command("rejects", "--retry", "-w", warehouse, "--json")
    assert done.returncode == 3, "one of them is still bad"
    printed = {"load_id": 2, "loaded": 1, "still_rejected": 1, "published": None}
    assert json.loads(done.stdout) == printed
    rows = {row[0]: row for row in tables(warehouse)["runs"]}
    status = [column.name for column in RUNS.columns].index("status")
    assert (rows["b"][1], rows["b"][status], rows["b"][-2:]) == ("acme", "completed", (1_750_000_000_000_000, 7))
    assert query(warehouse, "select reject_id from runmart.rejects") == [(1,)]
    assert query(warehouse, "select command, state, new_runs from runmart.loads where load_id = 2") == [
        ("rejects --retry", "done with rejects", 1)
    ]


def test_rejects_without_a_text_remain(warehouse: Path, pages: Path) -> None:
    """What cannot be retried, since its text is not there, is still counted."""
    write(pages / "image.json", b"\x89PNG\r\n\x1a\n\x00\x00" * 100)
    load(warehouse, pages)
    assert query(warehouse, "select raw from runmart.rejects") == [(None,)]
    done = command("rejects", "--retry", "-w", warehouse, "--json")
    assert (done.returncode, json.loads(done.stdout)["still_rejected"]) == (3, 1)


def test_a_text_that_is_not_utf8_comes_back_as_it_was(warehouse: Path, pages: Path) -> None:
    """A reject holds the text whole: in Base64 when it is not UTF-8."""
    import base64

    raw = b'{"id":"b","status":"queued","model":"\xff"}'
    write(pages / "bad.json", b"[" + raw + b"]")
    load(warehouse, pages)
    [(text, encoding)] = query(warehouse, "select raw, raw_encoding from runmart.rejects")
    assert (base64.b64decode(text), encoding) == (raw, "base64")
    assert command("rejects", "--retry", "-w", warehouse).returncode == 3
    assert query(warehouse, "select count(*) from runmart.rejects") == [(1,)]
