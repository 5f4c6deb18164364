"""Reading: compressed text, other encodings than UTF-8, and damage in either."""

import gzip
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from runmart.ingest.errors import InputError
from runmart.ingest.sources import decompress
from runmart.ingest.sources.reader import Reader
from runmart.ingest.sources.text import text as utf8
from tests.support.command import command
from tests.support.warehouse import load, query, run, write

TEXT = "\n".join(
    json.dumps({"id": random.Random(number).random(), "x": "é😀\u2028"}, ensure_ascii=False) for number in range(60_000)
).encode()
"""3 MB: several chunks, and several blocks of zstd."""

MARKED = {
    "utf-16-le": b"\xff\xfe",
    "utf-16-be": b"\xfe\xff",
    "utf-32-le": b"\xff\xfe\0\0",
    "utf-32-be": b"\0\0\xfe\xff",
}
ZSTD_BLOCK = 128 << 10


def quick_gzip(data: bytes) -> bytes:
    """Compressed with gzip."""
    return gzip.compress(data, compresslevel=1)


def zstd(data: bytes) -> bytes:
    """Compressed with zstd."""
    return pa.compress(data, "zstd", asbytes=True)


def lines(count: int) -> bytes:
    """Runs as JSON Lines, which compression makes half as long."""
    texts = (random.Random(number).randbytes(400).hex() for number in range(count))
    return "".join(
        json.dumps(run(f"r{number}", instructions=text)) + "\n" for number, text in enumerate(texts)
    ).encode()


def read(stored: bytes, at_once: int | None = None) -> tuple[bytes, str]:
    """The text of an input, at most so many bytes of it given at once, and why there is no more."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(size if at_once is None else at_once)

    found: list[bytes] = []
    try:
        found.extend(Reader(Slow(stored)).chunks())
    except InputError as error:
        return b"".join(found), str(error)
    return b"".join(found), ""


@pytest.mark.parametrize("compress", [bytes, quick_gzip, zstd], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("encoding", MARKED)
def test_text_with_a_byte_order_mark_becomes_utf_8(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    """UTF-16 and UTF-32 with a byte order mark are read, compressed too, however the bytes arrive."""
    stored = compress(MARKED[encoding] + TEXT.decode().encode(encoding))
    assert read(stored) == (TEXT, "")
    short = compress(MARKED[encoding] + "{é😀}".encode(encoding))
    for at_once in range(1, 8):
        assert read(short, at_once) == ("{é😀}".encode(), "")


@pytest.mark.parametrize(
    "text",
    [
        b'{"x": "a\0b"}\n{"id": "run_1"}',
        b"\0" * 5000 + b'{"id": "run_1"}',
        b'{"id": "run_1"}\n' + b"\0" * 5000,
        b'{"id": "run_1", "instructions": "'.ljust(257, b"x") + b'ustar"}',
    ],
    ids=["in a value", "before", "behind", "the mark of a tar archive"],
)
def test_text_with_some_nuls_is_text(text: bytes) -> None:
    """A crash leaves NULs in files; they cost what they are in, not the file."""
    assert read(text) == (text, "")


def test_zstd_may_begin_with_a_frame_that_is_skipped() -> None:
    """Tools put such frames before the first one."""
    assert read(b"\x53\x2a\x4d\x18\x04\0\0\0abcd" + zstd(TEXT)) == (TEXT, "")


@pytest.mark.parametrize("encoding", MARKED)
def test_text_that_ends_within_a_character_is_read_up_to_it(encoding: str) -> None:
    """What is before the end is kept, and the reason names the place."""
    stored = MARKED[encoding] + "ab{é".encode(encoding)
    assert read(stored[:-1])[0] == b"ab{"
    name, width = encoding[:6].upper(), 2 if "16" in encoding else 4
    assert read(stored[:-1])[1] == (
        f"the {name} text ends within a character at its byte {len(stored) - width}: a truncated download?"
    )


@pytest.mark.parametrize("after", ["", "b", "😀"])
def test_half_a_pair_costs_no_other_text(after: str) -> None:
    """A lone surrogate of UTF-16 is what no UTF-8 is, so that its run is rejected, and the text around it is whole."""
    stored = b"\xff\xfe" + "a".encode("utf-16-le") + b"\x3d\xd8" + after.encode("utf-16-le")
    assert read(stored) == (b"a\xed\xa0\xbd" + after.encode(), "")


def test_a_code_point_that_is_none_ends_the_text() -> None:
    """What is before it is kept, and the reason names the place."""
    stored = b"\xff\xfe\0\0" + "ab".encode("utf-32-le") + b"\0\0\x11\0" + "c".encode("utf-32-le")
    found, why = read(stored)
    assert found == b"ab"
    assert why.startswith("the UTF-32 text is damaged")
    assert "at its byte 12:" in why


@pytest.mark.parametrize("encoding", MARKED)
def test_text_without_a_mark_is_named(encoding: str) -> None:
    """UTF-16 and UTF-32 without a byte order mark are refused with the command that converts them."""
    name = encoding.upper().replace("-LE", "LE").replace("-BE", "BE")
    for text in ('{"id": 1}', "[\n ]", " [\t1]"):
        found, why = read(text.encode(encoding))
        assert (found, f"iconv -f {name} -t UTF-8" in why) == (b"", True)


@pytest.mark.parametrize("at_once", [1 << 20, 1000, 61])
def test_gzip_that_is_cut_short_gives_every_byte_before_the_cut(at_once: int) -> None:
    """All that zlib can decode of what is there is kept, wherever it is cut and however it arrives."""
    stored = gzip.compress(TEXT)
    before = 0
    for cut in (10, 25, 4000, 70_000, len(stored) // 2, len(stored) - 9, len(stored) - 8, len(stored) - 1):
        found, why = read(stored[:cut], at_once)
        assert TEXT.startswith(found)
        assert len(found) >= before
        before = len(found)
        assert "truncated" in why
    assert before == len(TEXT)
    assert read(stored, at_once) == (TEXT, "")


def test_gzip_gives_every_byte_before_damage() -> None:
    """Damage costs nothing that was before it, though zlib forgets what it decodes in the same call."""
    first, second = gzip.compress(TEXT), gzip.compress(b"second")
    assert read(first + second) == (TEXT + b"second", "")
    assert read(first + b"\0" * 1000 + second + b"\0") == (TEXT + b"second", "")
    assert read(first + second + b"junk") == (TEXT + b"second", _damaged("gzip", "incorrect header check"))
    wrong = bytearray(first)
    wrong[-8] ^= 1
    found, why = read(bytes(wrong) + second)
    assert found == TEXT
    assert "nothing tells where" in why
    stored = gzip.compress(TEXT[:1000], 0) + second  # stored as it is: damage of the header of its block is certain
    wrong = bytearray(stored)
    wrong[10] = 0xFF
    assert read(bytes(wrong)) == (b"", _damaged("gzip", "invalid block type"))


def test_zstd_gives_every_block_before_damage() -> None:
    """Blocks of zstd are decoded whole or not at all: every one before a cut or damage is kept."""
    stored = zstd(TEXT)
    for cut in (20, 3000, len(stored) // 3, len(stored) - 1):
        found, why = read(stored[:cut])
        assert found == TEXT[: len(found) // ZSTD_BLOCK * ZSTD_BLOCK]
        assert "runcated" in why
    assert len(found) == len(TEXT) // ZSTD_BLOCK * ZSTD_BLOCK
    assert read(stored + zstd(b"second")) == (TEXT + b"second", "")
    found, why = read(stored + b"junk")
    assert found == TEXT
    assert why.startswith("the zstd data is damaged (")


def _damaged(compression: str, what: str) -> str:
    return f"the {compression} data is damaged ({what}): fetch it again"


def test_a_stream_that_fails_gives_what_was_read_before() -> None:
    """A file that cannot be read on, plain or compressed, gives what came before, and the reason."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(min(size or 0, 4000))
            if not data:
                raise OSError(5, "Input/output error")
            return data

    plain = TEXT[:100_000]
    for stored in (plain, gzip.compress(plain), zstd(plain)):
        found: list[bytes] = []
        with pytest.raises(InputError, match=r"^cannot be read: Input/output error$"):
            found.extend(Reader(Failing(stored)).chunks())
        assert b"".join(found) == plain


def test_a_text_that_fails_early_gives_its_first_bytes() -> None:
    """A failure within the first bytes, which tell what a file is, does not lose them."""

    def chunks() -> list[bytes]:
        return [b'{"id": 1}']

    def failing() -> Iterator[bytes]:
        yield from chunks()
        raise InputError("broke off")

    found: list[bytes] = []
    with pytest.raises(InputError, match="broke off"):
        found.extend(utf8(failing()))
    assert found == chunks()


def test_memory_does_not_grow_with_what_is_unpacked() -> None:
    """A small file that unpacks to very much is given in small pieces."""
    stored = gzip.compress(b"[" + b" " * (64 << 20))
    assert max(len(chunk) for chunk in Reader(io.BytesIO(stored)).chunks()) <= 2 << 20
    packed = zstd(b"[" + b" " * (64 << 20))
    assert max(len(chunk) for chunk in Reader(io.BytesIO(packed)).chunks()) <= 2 << 20


@pytest.mark.parametrize(("count", "workers"), [(50, 0), (12_000, 0), (12_000, 2)])
@pytest.mark.parametrize("compress", [quick_gzip, zstd], ids=["gzip", "zstd"])
def test_what_was_read_before_a_cut_is_loaded(
    compress: Callable[[bytes], bytes], count: int, workers: int, warehouse: Path, pages: Path
) -> None:
    """A compressed file that is cut short, small or large, keeps the runs before the cut; once mended it is loaded."""
    whole = compress(lines(count))
    path = write(pages / "a.jsonl.gz", whole[: len(whole) * 9 // 10])
    done = command("ingest", path, "-w", warehouse, "--workers", str(workers), "--json")
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["inputs"], summary["rejected"]) == (3, 0, 2 if summary["new_runs"] else 1)
    [(stored,)] = query(warehouse, "select count(*) from runs")
    assert stored == summary["new_runs"]
    if compress is zstd and count == 50:
        assert stored == 0, "one block of zstd"
    else:
        assert count * 0.85 < stored < count * 0.91
    assert query(warehouse, "select count(*) from runmart.inputs") == [(0,)]
    [(reason,)] = query(warehouse, "select reason from runmart.rejects where raw is null")
    assert "truncated" in reason.lower()
    assert reason.endswith("; what was read before it was loaded") == (stored > 0)
    again = load(warehouse, path).totals
    assert (again.inputs_unchanged, again.new_runs) == (0, 0), "it is read again, to no avail"
    write(path, whole)
    assert load(warehouse, path).totals.new_runs == count - stored
    assert query(warehouse, "select count(*) from runmart.rejects where raw is null") == [(0,)]


@pytest.mark.parametrize("encoding", MARKED)
def test_runs_in_other_encodings_are_loaded(encoding: str, warehouse: Path, pages: Path) -> None:
    """What PowerShell writes as "Unicode" is loaded, with line numbers as in the file."""
    page = json.dumps([run("a", metadata={"k": "é😀"}), run("b")], indent=1, ensure_ascii=False).replace("\n", "\r\n")
    path = write(pages / "page.json", MARKED[encoding] + page.encode(encoding))
    done = command("ingest", path, "-w", warehouse)
    assert (done.returncode, done.stderr) == (0, "")
    found = query(warehouse, "select run_id, metadata ->> 'k' from runs order by 1")
    assert found == [("a", "é😀"), ("b", None)]
    assert query(warehouse, "select size from runmart.inputs") == [(path.stat().st_size,)]


def test_the_kinds_of_compression_are_known_by_their_first_bytes() -> None:
    """Nothing else than gzip and zstd is taken for compressed."""
    assert decompress.compression_of(gzip.compress(b"")) == "gzip"
    assert decompress.compression_of(zstd(b"")) == "zstd"
    assert decompress.compression_of(b'{"id": 1}') is None
