"""Content digests: SHA-256 as text, which stay comparable if a later version changes the algorithm."""

import hashlib
import os
from pathlib import Path

import pytest

from runmart.ingest import digest
from runmart.ingest.digest import Hasher, content_digest, file_digest, prefix_of, short_digest
from tests.support.warehouse import load, page, query, run, write


def test_a_digest_is_sha_256_in_hexadecimal(tmp_path: Path) -> None:
    """Digests in existing warehouses, exports and manifests stay valid, however they are computed."""
    data = os.urandom(100_000)
    expected = hashlib.sha256(data).hexdigest()
    hasher = Hasher()
    hasher.update(data[:70_000])
    hasher.update(data[70_000:])
    path = write(tmp_path / "data", data)
    assert {content_digest(data), hasher.digest(), file_digest(path)} == {expected}
    assert short_digest(data, 12) == expected[:12]


def test_a_stored_digest_of_another_algorithm_is_compared_by_that_algorithm(
    warehouse: Path, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of algorithm, loaded files are still recognised by their old digest."""
    old, new = write(pages / "old.json", page(run("a"))), pages / "new.json"
    load(warehouse, pages)
    monkeypatch.setitem(digest.ALGORITHMS, "b2:", "blake2b")
    monkeypatch.setattr(digest, "CURRENT", "b2:")
    write(new, page(run("b")))
    os.utime(old, (1_600_000_000, 1_600_000_000))  # now only its content tells that it is the same
    assert load(warehouse, pages).totals.inputs_unchanged == 1
    os.utime(new, (1_600_000_000, 1_600_000_000))
    assert load(warehouse, pages).totals.inputs_unchanged == 2
    stored = dict(query(warehouse, "select address[-8:], content_hash from runmart.inputs"))
    assert stored == {
        "old.json": hashlib.sha256(old.read_bytes()).hexdigest(),
        "new.json": "b2:" + hashlib.blake2b(new.read_bytes()).hexdigest(),
    }
    assert [file_digest(old, like) for like in stored.values()] == [
        stored["old.json"],
        "b2:" + hashlib.blake2b(old.read_bytes()).hexdigest(),
    ]


def test_a_digest_of_an_unknown_algorithm_is_that_of_no_content() -> None:
    """A digest of an unknown algorithm, from a newer version, matches nothing and is no error."""
    assert prefix_of("b9:00") == digest.CURRENT
