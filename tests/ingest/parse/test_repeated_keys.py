"""The proof that no key is repeated: never wrong, and rarely inconclusive."""

import msgspec
import pytest
from msgspec import Raw

from runmart.ingest.decode.observations import ObservationBuilder
from runmart.ingest.decode.whole import WholeDecoder
from runmart.ingest.parse.classify import Classifier
from runmart.ingest.parse.repeated_keys import columns_may_repeat_key, may_repeat_key
from runmart.models.record_specs import RUN
from tests.support.paths import REALDATA
from tests.support.recorded import FILES


@pytest.mark.parametrize(
    ("text", "may_repeat"),
    [
        (b"{}", False),
        (b'{"a": {"b": 1, "b": 2}}', False),  # not looked into
        (b'{"a:b": "c:d"}', False),
        (b'{"a": "c\\u003cd"}', False),
        (b'{"a": 1, "a": 2}', True),
        (b'{"a\\u003ab": 1, "c": 2, "c": 3}', True),
        (b'{"a\\u003Ab": 1, "c": 2, "c": 3}', True),
        (b'{"a\\u003ab": 1}', True),  # suspected
    ],
)
def test_a_repeated_key_is_suspected(text: bytes, may_repeat: bool) -> None:
    """Each repeated key is suspected, even if an escaped colon would balance the count."""
    assert may_repeat_key(text, msgspec.json.decode(text, type=dict[str, Raw])) is may_repeat


def test_no_recorded_payload_is_suspected() -> None:
    """The proof succeeds for all recorded payloads: nulls, missing and unknown fields, nested JSON."""
    decoder, builder, whole = WholeDecoder(RUN, Classifier()), ObservationBuilder(), 0
    for file in (file for file in FILES if not file.endswith(".sse")):
        data = (REALDATA / file).read_bytes()
        found = decoder.decode(data)
        if found is not None:
            columns = builder.columns(found.record)
            columns.add(found.records)
            assert not columns_may_repeat_key([data], columns, [] if found.page is None else [found.page]), file
            whole += len(found.records)
    assert whole == 210
