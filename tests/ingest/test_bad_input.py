"""Bad inputs: each gives its reason and exit code, and leaves the rest of the load intact."""

import gzip
import io
import json
import pickle
import re
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pytest

from runmart.ingest.errors import InputError
from runmart.ingest.sources.reader import Reader
from tests.support.command import command
from tests.support.warehouse import assert_sound, load, page, query, run, tables, write

OTHER = page(run("a"), run("c"))
GOOD = page(run("good_1", usage={"total_tokens": 3}), run("good_2"))
LONG = page(*(run(f"r{number}", instructions="x" * 50) for number in range(200)))
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


class Bad(NamedTuple):
    """One bad input: its bytes, words of the reason, and the runs in it that are loaded."""

    name: str
    data: bytes
    reason: str
    loaded: int = 0


def text_of(data: bytes) -> bytes:
    """The text of an input, decompressed and in UTF-8, as far as it can be read."""
    parts: list[bytes] = []
    with suppress(InputError):
        parts.extend(Reader(io.BytesIO(data)).chunks())
    return b"".join(parts)


def tar(data: bytes) -> bytes:
    """A tar archive of one file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as writer:
        member = tarfile.TarInfo("page.json")
        member.size = len(data)
        writer.addfile(member, io.BytesIO(data))
    return archive.getvalue()


def broken(text: str) -> bytes:
    """A page of three runs of which the middle one is `text`."""
    return f'{{"object":"list","data":[{json.dumps(run("a"))},{text},{json.dumps(run("c"))}]}}'.encode()


BAD = [
    Bad("a truncated download", LONG[:-500], "truncated", 196),
    Bad("a truncated gzip download", gzip.compress(LONG[:-500])[:-8], "gzip data is damaged.*truncated.*before it was loaded", 196),
    Bad("a truncated zstd download", pa.compress(LONG, "zstd", asbytes=True)[:-20], "zstd data is damaged.*truncated", 0),
    Bad("gzip with junk behind it", gzip.compress(OTHER) + b"junk and more junk", "gzip data is damaged.*before it was loaded", 2),
    Bad("UTF-16 without a mark", GOOD.decode().encode("utf-16-le"), "UTF-16LE.*iconv -f UTF-16LE"),
    Bad("UTF-16 that ends within a character", OTHER.decode().encode("utf-16")[:-91], "UTF-16.*within a character at its byte [0-9]+:.*before it was loaded", 1),
    Bad("a lone surrogate in UTF-16", broken('{"id":"b","status":"queued","model":"@"}').decode().encode("utf-16").replace(b"@\0", b"\x3d\xd8"), "UTF-8 at byte", 2),
    Bad("no code point in UTF-32", OTHER.decode().encode("utf-32") + b"\xff" * 8, "UTF-32 text is damaged.*at its byte [0-9]+:.*before it was loaded", 2),
    Bad("invalid UTF-8", broken('{"id":"b","status":"queued","model":"@"}').replace(b"@", b"\xff"), "UTF-8", 2),
    Bad("a lone surrogate", broken(r'{"id":"b","status":"queued","model":"\ud800"}'), "surrogate", 2),
    Bad("a lone surrogate in metadata", broken(r'{"id":"b","status":"queued","metadata":{"k":"\udc00"}}'), "surrogate", 2),
    Bad("a key twice in a run", broken('{"id":"b","status":"queued","status":"failed"}'), "`status`.*twice", 2),
    Bad("a key twice in usage", broken('{"id":"b","status":"queued","usage":{"total_tokens":1,"total_tokens":2}}'), "twice", 2),
    Bad("data twice", b'{"data":[{"id":"run_a","status":"queued"}],"data":[]}', "`data`.*twice", 1),
    Bad("an integer past 64 bits", broken('{"id":"b","status":"queued","max_prompt_tokens":99999999999999999999}'), "9223372036854775807", 2),
    Bad("NaN", broken('{"id":"b","status":"queued","temperature":NaN}'), "not JSON", 2),
    Bad("a float past 64 bits", broken('{"id":"b","status":"queued","temperature":1e999}'), "larger than any", 2),
    Bad("nesting 10,000 deep", broken('{"id":"b","status":"queued","x":' + "[" * 10_000 + "]" * 10_000 + "}"), "too deep", 2),
    Bad("a timestamp in the year 57000", broken('{"id":"b","status":"queued","created_at":1736000000000000}'), "1736000000000000.*9999", 2),
    Bad("a text for an instant", broken('{"id":"b","status":"queued","created_at":"yesterday"}'), "Unix seconds.*yesterday", 2),
    Bad("no id", broken('{"status":"queued","object":"thread.run"}'), "`id`", 2),
    Bad("no status", broken('{"id":"b","object":"thread.run"}'), "`status`", 2),
    Bad("tools that are no list", broken('{"id":"b","status":"queued","tools":"all"}'), "array", 2),
    Bad("an empty file", b"", "empty"),
    Bad("only whitespace", b" \n\n", "nothing but whitespace"),
    Bad("only a byte order mark", b"\xef\xbb\xbf", "nothing but whitespace"),
    Bad("the end of a line behind a byte order mark", b"\xff\xfe\r\0\n\0", "nothing but whitespace"),
    Bad("only commas", b",\n,\n", "nothing but whitespace, commas"),
    Bad("the end of a page", b"}\n  ]\n}\n", "nothing but .* closing brackets"),
    Bad("a picture", PNG, "PNG picture"),
    Bad("other binary data", b"\x01\x02\x00\x03" * 50, "binary data.*01 02 00 03"),
    Bad("a tar archive", tar(GOOD), "^a tar archive: unpack it"),
    Bad("a tar archive in gzip", gzip.compress(tar(GOOD)), "^a tar archive: unpack it"),
    Bad("a pickle", pickle.dumps(["x" * 500]), "Python pickle"),
    Bad("gzip in gzip", gzip.compress(gzip.compress(GOOD)), "compressed twice"),
    Bad("a ZIP archive", b"PK\x03\x04" + bytes(30), "ZIP"),
    Bad("prose", b"Dear Sir or Madam,\nthe runs are attached.\n", "expected a run or a page.*Dear"),
    Bad("a web page", b"<html><body>502 Bad Gateway</body></html>", "expected a run or a page.*html"),
    Bad("a number", b"42", "expected a run or a page"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_input_ends_as_a_reject_with_its_reason(bad: Bad, warehouse: Path, pages: Path) -> None:
    """One bad run does not lose its page, one bad page not its file, one bad file not the load; exit code 3."""
    write(pages / "1-good.json", GOOD)
    load(warehouse, pages)
    before = tables(warehouse)
    write(pages / "2-bad.json", bad.data)
    write(pages / "3-good.json", page(run("good_3")))
    done = command("ingest", pages, "--warehouse", warehouse)
    assert done.returncode == 3, done
    assert "rejected" in done.stderr
    rejects = query(warehouse, "select input, reason, json_path from runmart.rejects")
    assert rejects
    assert all(address.endswith("2-bad.json") for address, _, _ in rejects)
    assert any(re.search(bad.reason, reason, re.DOTALL) for _, reason, _ in rejects), rejects
    assert_sound(warehouse)
    rows = {row[0]: row for row in tables(warehouse)["runs"]}
    assert [row for row in rows.values() if row[0] in {"good_1", "good_2"}] == before["runs"]
    assert "good_3" in rows
    assert len(rows) == 3 + bad.loaded


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_reject_holds_the_text_whole(bad: Bad, warehouse: Path, pages: Path) -> None:
    """A text that cannot be decoded is kept completely in `runmart.rejects`."""
    text = text_of(bad.data)
    load(warehouse, write(pages / "bad.json", bad.data))
    for raw, encoding in query(warehouse, "select raw, raw_encoding from runmart.rejects"):
        assert encoding in {"utf-8", "base64", None}
        if encoding == "utf-8":
            start, _, end = raw.partition("[]")  # a frame comes without the elements of its list
            assert start.encode() in text
            assert end.encode() in text


def _somebody_elses(warehouse: Path) -> None:
    with duckdb.connect(warehouse) as connection:
        connection.execute("create table runs (distance_km double)")


def _empty_database(warehouse: Path) -> None:
    duckdb.connect(warehouse).close()


def _newer(warehouse: Path) -> None:
    load(warehouse)
    with duckdb.connect(warehouse) as connection:
        connection.execute("insert into runmart.schema_version values (99, 'from the future', now(), '9.9')")


def _no_database(warehouse: Path) -> None:
    warehouse.write_bytes(b"these are not the bytes of a database, by any means" * 200)


def _nothing(_: Path) -> None:
    pass


class Failure(NamedTuple):
    """One call that fails: its arguments, words of the message, the exit code, and the set-up."""

    name: str
    arguments: list[str]
    message: str
    exit_code: int
    prepare: Callable[[Path], None] = _nothing


FAILURES = [
    Failure("a path that is not there", ["ingest", "PAGES/nowhere"], "nowhere: no such file", 1),
    Failure("a pattern that matches nothing", ["ingest", "PAGES/*.gz"], "no file matches", 1),
    Failure("a scheme that is not known", ["ingest", "ftp://host/x"], "expected a path, https://", 1),
    Failure("no warehouse to read", ["status"], "no such warehouse.*runmart ingest", 1),
    Failure("no folder to put it in", ["ingest", "PAGES", "--warehouse", "PAGES/deep/w.duckdb"], "does not exist", 1),
    Failure("no database", ["ingest", "PAGES"], "not a valid DuckDB database", 1, _no_database),
    Failure(
        "somebody else's tables", ["ingest", "PAGES"], r"not runmart's \(main.runs\); name another", 1, _somebody_elses
    ),
    Failure("somebody else's database", ["status"], "no runmart warehouse", 1, _empty_database),
    Failure("a newer schema", ["ingest", "PAGES"], "schema version 99.*newer runmart", 1, _newer),
    Failure("no sources", ["ingest"], "SOURCES", 2),
    Failure("an unknown option", ["ingest", "PAGES", "--quick"], "--quick", 2),
    Failure("an unknown command", ["igest"], 'Did you mean "ingest"', 2),
    Failure("an unknown view", ["views", "latency_by_modell"], "did you mean latency_by_model", 2),
    Failure("no date", ["ingest", "PAGES", "--observed-at", "soon"], "soon", 2),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_what_cannot_be_done_is_said_in_a_sentence(failure: Failure, new_warehouse: Path, pages: Path) -> None:
    """An error on standard error names what is wrong and what to do; the exit code is that of its kind."""
    write(pages / "good.json", GOOD)
    failure.prepare(new_warehouse)
    arguments = [argument.replace("PAGES", str(pages)) for argument in failure.arguments]
    done = command(*arguments, environment={"RUNMART_WAREHOUSE": str(new_warehouse)})
    assert done.returncode == failure.exit_code, done
    assert re.search(failure.message, " ".join(done.stderr.replace("│", "").split())), done.stderr
    assert done.stdout == ""


def test_an_empty_folder_is_no_error_but_is_said(warehouse: Path, pages: Path) -> None:
    """A folder without files loads nothing, and a message says so."""
    done = command("ingest", pages, "--warehouse", warehouse)
    assert done.returncode == 0
    assert "no files to load" in done.stderr


def test_what_holds_no_runs_is_said(warehouse: Path, pages: Path) -> None:
    """Unrelated JSON is no error and no reject: a line says what it is, and what would be needed."""
    write(pages / "package.json", b'{"name":"left-pad","version":"1.0.0"}')
    done = command("ingest", pages, "--warehouse", warehouse)
    assert done.returncode == 0
    assert re.search("package.json holds no runs", done.stderr)
    assert query(warehouse, "select count(*) from runmart.rejects") == [(0,)]


def test_error_responses_are_no_runs_and_no_rejects(warehouse: Path, pages: Path) -> None:
    """A saved error response is skipped and counted."""
    write(pages / "error.json", b'{"error":{"message":"No such thread","type":"invalid_request_error"}}')
    done = command("ingest", pages, "--warehouse", warehouse)
    assert done.returncode == 0
    assert "error responses" in done.stderr


@pytest.mark.slow
def test_a_value_of_two_gigabytes_is_refused_without_reading_it_into_memory(warehouse: Path, pages: Path) -> None:
    """A 2 GB file that is one value: an error that says so, and memory that does not grow with it."""
    with (pages / "huge.json").open("wb") as file:
        file.write(b'{"id":"a","status":"completed","instructions":"')
        for _ in range(2048):
            file.write(b"x" * (1 << 20))
        file.write(b'"}')
    done = command("ingest", pages, "--warehouse", warehouse)
    assert done.returncode == 3
    assert "more than 64 MiB" in query(warehouse, "select reason from runmart.rejects")[0][0]
