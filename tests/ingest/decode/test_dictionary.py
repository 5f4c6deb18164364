"""Dictionary decoder of columns with few distinct values."""

from runmart.ingest.decode import dictionary
from runmart.ingest.decode.dictionary import DictionaryDecoder
from runmart.models import arrow
from runmart.models.columns import BIGINT, BINARY
from runmart.models.record_columns import DictionaryColumn


def _encoded(*texts: bytes) -> DictionaryColumn:
    array = arrow.array(texts, BINARY).dictionary_encode()
    return DictionaryColumn(array, array.dictionary.to_pylist())


def test_each_text_is_parsed_once() -> None:
    """Each distinct text is parsed once, over all batches."""
    parsed: list[bytes] = []

    def parse(text: bytes) -> int:
        parsed.append(text)
        return len(text)

    decoder = DictionaryDecoder(parse)
    for _ in range(2):
        found = decoder.decode(_encoded(b"a", b"bb", b"a", b"bb"))
        assert found.array(lambda value: value, BIGINT).to_pylist() == [1, 2, 1, 2]
        assert found.where(lambda value: value == 2).to_pylist() == [False, True, False, True]
    assert parsed == [b"a", b"bb"]


def test_not_more_than_some_megabytes_are_remembered() -> None:
    """The cache of a column without repetitions stays below its limit, and results are the same."""
    decoder = DictionaryDecoder(len)
    text = b"x" * (dictionary._MAX_BYTES // 4)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    for number in range(20):
        assert decoder.decode_one(text + b"%d" % number) == len(text) + len(str(number))
        assert len(decoder._known) <= 4  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
