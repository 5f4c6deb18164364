"""Packs are taken apart into the texts that they were made of."""

import json
import time

import pytest

from runmart.ingest.transform.packed_texts import documents_or_lines

PACKS: dict[str, tuple[str, ...]] = {
    "lines": ('{"a": 1}', "prose", "[1]", '{"b":'),
    "documents": ('{\n "a": 1\n}', '{\n "b": [\n  1\n ]\n}', "[\n 1\n]"),
    "both": ("prose", '{\n "a": 1\n}', '{"b": 2}', "}", '{\n "c": {}\n}'),
    "text behind a document": ("{", '"a": 1', "} and more", '{\n "b": 1\n}'),
    "a document that is cut": ("{", '"a": 1,', '{\n "b": 1\n}'),
    "no UTF-8": ('{"a": "\udcff"}', '{\n "b": 1\n}'),
}


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_is_taken_apart(name: str) -> None:
    """JSON documents of one line or several, and lines that are none, come in order and whole."""
    texts = [text.encode(errors="surrogateescape") for text in PACKS[name]]
    assert list(documents_or_lines(b"\n".join(texts))) == texts
    assert list(documents_or_lines(b"\n\n \n".join(texts) + b" \n")) == texts


def test_nothing_is_lost_and_time_is_linear() -> None:
    """Brackets alone, and very many texts, take time in proportion to their number."""
    document = json.dumps({"a": [1, 2]}, indent=1).encode()
    for pack in (b"[\n", b"{\n", b"[\n1\n]\n", b"x\n", document + b"\n"):
        started = time.process_time()
        found = b"".join(documents_or_lines(pack * 20_000))
        assert b"".join(found.split()) == b"".join((pack * 20_000).split())
        assert time.process_time() - started < 5
