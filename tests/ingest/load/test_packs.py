"""Packs of rejects: the first rejects of an input are kept one by one, later ones by kind, and nothing is lost."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from runmart.ingest.decode.result import BlockCounts
from runmart.ingest.load import packs
from runmart.ingest.load.packs import Packer, placed
from runmart.ingest.load.rejects import raw_bytes, reject_row
from runmart.ingest.parse.reject_kinds import MAX_REJECTS
from runmart.ingest.pipeline import loading
from runmart.ingest.transform.admission import AdmissionFilter
from runmart.ingest.transform.convert import Converted
from runmart.ingest.warehouse.connection import open_for_writing
from runmart.models.observations import Origin, Reject
from runmart.models.redaction_policy import RedactionPolicy
from tests.support.command import command
from tests.support.warehouse import assert_sound, load, query, run, write

ORIGIN = Origin("acme", 5, 1)


def reject(number: int, reason: str = "too deep", raw: bytes | None = None) -> Reject:
    """A reject on line `number`, from 1."""
    return Reject(ORIGIN, number - 1, number, reason, "$", b"text %d" % number if raw is None else raw)


def packed(rejects: Sequence[Reject]) -> list[Reject]:
    """What is kept of the rejects of one input, as rows of the table."""
    packer = Packer()
    found = [*packer.take("a", rejects), *packer.finish("a")]
    assert [address for address, _ in found] == ["a"] * len(found)
    assert not [*packer.finish("a"), *packer.finish_all()]
    return [one for _, one in found]


def test_the_first_rejects_are_kept_one_by_one_and_the_rest_by_kind() -> None:
    """1,000 rejects are kept as they are; later ones are one for each kind, with the count and the places."""
    reasons = ("got `%d`", "not UTF-8 at byte %d")
    given = [reject(number, reasons[number % 2] % number) for number in range(1, 2 * MAX_REJECTS + 1)]
    found = packed(given)
    assert found[:MAX_REJECTS] == given[:MAX_REJECTS]
    odd, even = given[MAX_REJECTS::2], given[MAX_REJECTS + 1 :: 2]
    for pack, of in zip(found[MAX_REJECTS:], (odd, even), strict=True):
        texts = b"\n".join(one.raw for one in of)
        assert pack == of[0]._replace(raw=texts, items=len(of), last_position=of[-1].position, last_line=of[-1].line), (
            "the reason is that of the first"
        )
    assert packed(given[:MAX_REJECTS]) == given[:MAX_REJECTS]
    assert packed(given[: MAX_REJECTS + 1]) == given[: MAX_REJECTS + 1], "one alone is no pack"


def test_packs_of_blocks_are_joined() -> None:
    """What the blocks of an input have packed, and single rejects between them, become one reject."""
    of_block = reject(1, raw=b"a\nb\nc")._replace(items=3, last_position=4, last_line=7)
    given = [placed(of_block, 10), placed(of_block, 20)._replace(line=11, last_line=17)]
    [pack] = packed(given)
    assert (pack.raw, pack.items) == (b"a\nb\nc\na\nb\nc", 6)
    assert (pack.position, pack.line, pack.last_position, pack.last_line) == (10, 1, 24, 17)
    singles = [reject(number) for number in range(1, MAX_REJECTS + 2)]
    found = packed([*given, *singles])
    assert found[:-1] == singles[:MAX_REJECTS]
    assert (found[-1].items, found[-1].raw[-9:]) == (7, b"text 1001")


def test_inputs_are_packed_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule is one for each input, and an input that is read again begins anew."""
    monkeypatch.setattr(packs, "MAX_REJECTS", 2)
    packer = Packer()
    given = [reject(number) for number in range(1, 5)]
    for _ in range(2):
        assert [one for _, one in packer.take("a", given)] == given[:2]
        assert [one for _, one in packer.take("b", given)] == given[:2]
        assert [(address, one.items) for address, one in packer.finish("a")] == [("a", 2)]
        assert [(address, one.items) for address, one in packer.finish("b")] == [("b", 2)]
    assert len([*packer.take("a", given), *packer.take("b", given)]) == 4
    assert [(address, one.items) for address, one in packer.finish_all()] == [("a", 2), ("b", 2)]
    assert len([*packer.take("a", given)]) == 2


def test_packs_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack holds a limited amount of text, and so do all that are open; a larger text is alone."""
    monkeypatch.setattr(packs, "MAX_REJECTS", 0)
    monkeypatch.setattr(packs, "PACK_BYTES", 1000)
    texts = [b"%03d" % number * 20 for number in range(200)]
    texts[50] = b"y" * 5000
    found = packed([reject(number, f"kind {'abc'[number % 3]}", text) for number, text in enumerate(texts, 1)])
    assert sum(pack.items for pack in found) == 200
    assert sorted(text for pack in found for text in pack.raw.split(b"\n")) == sorted(texts)
    assert [len(pack.raw) for pack in found if len(pack.raw) > 1000] == [5000]
    assert len(found) < 50
    positions = sorted(place for pack in found for place in (pack.position, pack.last_position) if place >= 0)
    assert (positions[0], positions[-1]) == (0, 199)


def test_very_many_kinds_are_one_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """An input has few packs, whatever its reasons are."""
    monkeypatch.setattr(packs, "MAX_REJECTS", 0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    found = packed([reject(n, f"kind {letters[n % 26]}{letters[n // 26]}") for n in range(600)])
    assert len(found) == packs.MAX_KINDS + 1
    assert sum(one.items for one in found) == 600


def _row(of: Reject) -> dict[str, object]:
    names = ("source", "input", "position", "line", "observed_at", "reason", "json_path", "raw", "raw_encoding")
    return dict(zip((*names, "items", "last_position", "last_line"), reject_row(7, 1, "a", of)[2:], strict=True))


@pytest.mark.parametrize("text", [b"a\nb", b"\xff\n\xfe", b"x\n" * 10_000_000])
def test_the_text_of_a_pack_is_stored_compressed_and_whole(text: bytes) -> None:
    """The column `raw` of a pack is Base64 of zstd, which any tool can read, and small."""
    row = _row(reject(1, raw=text)._replace(items=2, last_position=3, last_line=4))
    raw = str(row["raw"])
    assert raw_bytes(raw, "zstd") == text
    assert pa.CompressedInputStream(pa.BufferReader(base64.b64decode(raw)), "zstd").read() == text
    assert len(raw) < 10_000
    assert (row["raw_encoding"], row["items"], row["last_position"], row["last_line"]) == ("zstd", 2, 3, 4)
    alone = _row(reject(1, raw=text))
    assert (alone["items"], alone["last_position"], alone["last_line"]) == (1, None, None)


DROPPED = AdmissionFilter(RedactionPolicy({"metadata": "drop"}))


def test_a_pack_is_redacted_text_by_text() -> None:
    """What can be parsed is redacted, what cannot is discarded, and the encoding says so."""
    sent = [json.dumps(run(name, metadata={"k": "secret"}), indent=2 * (name == "b")) for name in "ab"]
    both = reject(1, "got `secret`", "\n".join(sent).encode())._replace(items=2)
    found = DROPPED.reject(both)
    assert [json.loads(text)["id"] for text in found.raw.split(b"\n")] == ["a", "b"]
    assert (b"secret" in found.raw, "secret" in found.reason, found.is_withheld, found.items) == (False,) * 3 + (2,)
    assert _row(found)["raw_encoding"] == "zstd"
    mixed = DROPPED.reject(both._replace(raw=b"secret 1\n" + both.raw + b'\n{"metadata": secret', items=4))
    assert mixed.raw == found.raw
    assert (mixed.is_withheld, _row(mixed)["raw_encoding"]) == (True, "partly withheld")
    assert raw_bytes(str(_row(mixed)["raw"]), "partly withheld") == found.raw
    damaged = DROPPED.reject(both._replace(raw=b'{"id": "a", "metadata":\n{"k": "secret"}\n', items=2))
    assert b"secret" not in damaged.raw, "a part of it is JSON, too"
    none = DROPPED.reject(both._replace(raw=b'secret\n"secret"'))
    assert (_row(none)["raw"], _row(none)["raw_encoding"]) == (None, "withheld")
    assert AdmissionFilter().reject(both) == both


def test_withheld_texts_in_a_pack_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack of redacted rejects, of which some were discarded, says that."""
    monkeypatch.setattr(packs, "MAX_REJECTS", 0)
    withheld = reject(2, raw=b"")._replace(is_withheld=True)
    [pack] = packed([reject(1), withheld, reject(3)])
    assert (pack.raw, pack.items, pack.is_withheld) == (b"text 1\ntext 3", 3, True)
    [pack] = packed([withheld, withheld])
    assert _row(pack)["raw_encoding"] == "withheld"


def bad_lines(count: int, first: int = 0) -> str:
    """Runs whose time is none, a line each."""
    return "".join(
        json.dumps({"id": f"r{number}", "status": "queued", "created_at": "soon"}) + "\n"
        for number in range(first, first + count)
    )


def test_a_load_packs_and_counts_items(warehouse: Path, pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of loads, inputs, the view, the status and checks are those of items, and a second load adds no row."""
    write(pages / "a.jsonl", (bad_lines(2500) + json.dumps(run("good"))).encode())
    write(pages / "b.jsonl", bad_lines(1001).encode())
    for _ in range(2):
        done = command("ingest", pages, "-w", warehouse, "--json", "--reload")
        assert (done.returncode, json.loads(done.stdout)["rejected"]) == (3, 3501)
    assert query(warehouse, "select rejected from runmart.loads") == [(3501,)] * 2
    assert query(warehouse, "select rejected from runmart.inputs order by 1") == [(1001,), (2500,)]
    assert query(
        warehouse, "select count(*), cast(sum(items) as bigint), count(*) filter (items = 1) from runmart.rejects"
    ) == [(2002, 3501, 2001)]
    assert query(warehouse, "select position, line, last_position, last_line from runmart.rejects where items > 1") == [
        (1000, 1001, 2499, 2500)
    ]
    assert query(warehouse, "select cast(sum(rejects) as bigint) from reject_summary") == [(3501,)]
    assert query(warehouse, "select observed_position from runs") == [(2500,)]
    assert json.loads(command("status", "-w", warehouse, "--json").stdout)["rejects"] == 3501
    monkeypatch.chdir(warehouse.parent)
    for limit, code in ((3500, 4), (3501, 0)):
        Path("runmart.toml").write_text(f"[checks]\nmax_rejects = {limit}\n")
        assert command("check", "-w", warehouse).returncode == code
    assert_sound(warehouse)


@pytest.mark.parametrize("content", ["keep", "drop"])
def test_rejects_of_a_log_that_grows_are_counted_once(content: str, warehouse: Path, pages: Path) -> None:
    """A pack takes the place of the shorter one that it begins with, or of the single reject that became one."""
    for load_id, lines in enumerate((600, MAX_REJECTS + 1, 1600, 2400, 2400), 1):
        path = write(pages / "app.log", b"".join(b"INFO step %d was done\n" % number for number in range(lines)))
        assert command("ingest", path, "-w", warehouse, "--reload", "--content", content).returncode == 3
        assert query(warehouse, "select sum(items)::bigint from runmart.rejects") == [(lines,)]
        assert query(warehouse, "select max(load_id) from runmart.rejects") == [(min(load_id, 4),)]


def test_a_load_writes_all_packs_in_the_end(warehouse: Path) -> None:
    """Rejects of an input of which nobody has said that it ends are not lost."""
    with open_for_writing(warehouse, 0) as writer, loading(writer, "test", "acme") as load:
        rejects = [reject(number) for number in range(1, 2001)]
        counts = BlockCounts(0, 2000, 2000)
        load.add(Converted([], [rejects], [counts], Counter(), 0, None), [("a", 0)])
    assert query(warehouse, "select cast(sum(items) as bigint), count(*) from runmart.rejects") == [(2000, 1001)]


def test_packs_are_shown(warehouse: Path, pages: Path) -> None:
    """`runmart rejects` shows how many items each stands for; --json has their texts as they are."""
    write(pages / "a.jsonl", bad_lines(2500).encode())
    load(warehouse, pages)
    shown = " ".join(command("rejects", "-w", warehouse, "--limit", "2").stdout.split())
    assert shown.startswith("Rejects (2 of 1,001; 2,500 items, 1,500 of them in 1 pack)")
    assert "1001-2500" in shown.replace(" ", "")
    pack = json.loads(command("rejects", "-w", warehouse, "--json").stdout)[0]
    assert (pack["raw"] + "\n", pack["raw_encoding"]) == (bad_lines(1500, 1000), "utf-8")
    assert (pack["items"], pack["last_position"], pack["last_line"]) == (1500, 2499, 2500)


def _mend(warehouse: Path, good: int, encoding: str = "zstd") -> None:
    """As if an older version had not known what this one knows: the first texts of the pack are sound now."""
    lines = bad_lines(1500, 1000).replace('"soon"', "1700000000", good)
    pack = reject(1001, raw=lines.encode())._replace(items=1500, last_position=2499, last_line=2500)
    with duckdb.connect(warehouse) as connection:
        connection.execute(
            "update runmart.rejects set raw = ?, raw_encoding = ? where items > 1", [_row(pack)["raw"], encoding]
        )


def test_a_pack_is_retried(warehouse: Path, pages: Path) -> None:
    """What can be decoded now is loaded at its place; the pack is deleted once all of it is."""
    write(pages / "a.jsonl", bad_lines(2500).encode(), 1_750_000_000)
    load(warehouse, pages, source="acme")
    for new in (400, 0):
        _mend(warehouse, 400)
        done = json.loads(command("rejects", "--retry", "-w", warehouse, "--json").stdout)
        assert (done["loaded"], done["still_rejected"]) == (400, 2100)
        assert query(warehouse, "select new_runs from runmart.loads order by load_id desc limit 1") == [(new,)]
        assert query(warehouse, "select cast(sum(items) as bigint) from runmart.rejects") == [(2500,)]
    _mend(warehouse, 1500, "partly withheld")
    done = command("rejects", "--retry", "-w", warehouse, "--json")
    assert json.loads(done.stdout)["still_rejected"] == 1001, "what was discarded cannot be loaded"
    _mend(warehouse, 1500)
    done = command("rejects", "--retry", "-w", warehouse, "--json")
    assert json.loads(done.stdout)["still_rejected"] == 1000
    assert query(warehouse, "select cast(sum(items) as bigint) from runmart.rejects") == [(1000,)]
    stored = query(warehouse, "select run_id, source, observed_position from runs order by observed_position")
    assert stored == [(f"r{number}", "acme", number) for number in range(1000, 2500)]
    assert query(warehouse, "select epoch(observed_at) from runs limit 1") == [(1_750_000_000.0,)]
    assert_sound(warehouse)


def test_a_large_reject_is_retried_whole(warehouse: Path) -> None:
    """A text that is larger than a block is loaded whole, or stays."""
    load(warehouse)
    runs = "\n".join(json.dumps(run(f"r{number}", instructions="x" * 100_000)) for number in range(200))
    with duckdb.connect(warehouse) as connection:
        for number, text in enumerate((runs, runs.replace("r7", "s7") + "\nno JSON"), 1):
            connection.execute(
                "insert into runmart.rejects values (?, 1, 'a', 'b', 0, 1, now(), 'c', '$', ?, 'utf-8', 1, null, null)",
                [number, text],
            )
    done = json.loads(command("rejects", "--retry", "-w", warehouse, "--json").stdout)
    assert (done["loaded"], done["still_rejected"]) == (200, 1)
    assert query(warehouse, "select count(*), max(observed_position) from runs") == [(200, 199)]
    assert query(warehouse, "select reject_id from runmart.rejects") == [(2,)]
