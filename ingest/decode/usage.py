"""Usage of runs: token counts under the names of both generations of the API, and their details."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from runmart.ingest.decode import json_text
from runmart.ingest.decode.json_text import Member
from runmart.ingest.decode.nested import nested
from runmart.ingest.parse.json_object import json_object, unfit
from runmart.ingest.parse.repeated_keys import columns_may_repeat_key
from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BIGINT, BINARY, VARCHAR
from runmart.models.observations import Usages
from runmart.models.quirks import NOTHING
from runmart.models.record_columns import RecordColumns
from runmart.models.records import CompletionUsage, TokensDetails

PROMPT_DETAILS = ("prompt_tokens_details", "prompt_token_details", "input_tokens_details")
"""Names under which the parts of the prompt tokens are sent; the first that has the part counts."""

COMPLETION_DETAILS = ("completion_tokens_details", "output_tokens_details")

_DOUBLES = (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"))
_USAGES = msgspec.json.Decoder(list[CompletionUsage])
_DETAILS = msgspec.json.Decoder(TokensDetails)
_NOTHING = arrow.array(sorted(NOTHING | {b""}), BINARY)
_EMPTY = CompletionUsage()
_NO_DETAILS = TokensDetails()
_decode_one = nested("usage", CompletionUsage)


def decode(sent: Array) -> Usages:
    """The usage of a column of JSON texts (shape: n).

    Raises:
        UnfitError: One does not fit, or holds a repeated key.
    """
    is_there = compute.invert(compute.is_in(sent, _NOTHING))
    runs = compute.indices_nonzero(is_there).cast(BIGINT)
    found = sent.take(runs)
    return _decode_all(runs, found) or _decode_each(runs.to_pylist(), found.to_pylist())


def check(text: bytes) -> None:
    """Check that the usage of one run can be decoded.

    Raises:
        UnfitError: It cannot.
    """
    _decode_each([0], [text])


def _decode_all(runs: Array, found: Array) -> Usages | None:
    """All texts by one call; None where one has to be decoded alone: unknown members, two names for one count."""
    text = json_text.array_of(found)
    try:
        records = _USAGES.decode(text)
    except msgspec.DecodeError:
        return None
    sent = RecordColumns(CompletionUsage)
    sent.add(records)
    if columns_may_repeat_key([text], sent) or any(_are_both_sent(sent, *names) for names in _DOUBLES):
        return None
    if sent.array("prompt_tokens").null_count and _EMPTY in records:
        return None
    details: list[Member] = []
    try:
        cached = _parts(sent, PROMPT_DETAILS, "cached_tokens", details)
        reasoning = _parts(sent, COMPLETION_DETAILS, "reasoning_tokens", details)
    except msgspec.DecodeError:
        return None
    return Usages(runs, sent, cached, reasoning, json_text.objects(details, sent.count))


def _are_both_sent(sent: RecordColumns, name: str, other: str) -> bool:
    """Whether a record has a count under both names: today's fills the column, the other is added to the details."""
    if not sent.is_sent(name) or not sent.is_sent(other):
        return False
    return bool(compute.any(compute.and_(sent.array(name).is_valid(), sent.array(other).is_valid())).as_py())


def _parts(sent: RecordColumns, names: Sequence[str], part: str, details: list[Member]) -> Array:
    """One part of a token count, from the first detail object that has it; the objects are added to `details`."""
    found: list[Array] = []
    for name in filter(sent.is_sent, names):
        array, distinct = sent.encoded(name)
        values = [_DETAILS.decode(text) if _is_there(text) else _NO_DETAILS for text in distinct]
        kept = [json_text.compact(text) if _is_there(text) else None for text in distinct]
        found.append(arrow.array([getattr(value, part) for value in values], BIGINT).take(array.indices))
        details.append(Member(name, array.indices, kept))
    return compute.coalesce(*found) if found else arrow.nulls(sent.count, BIGINT)


def _is_there(text: bytes) -> bool:
    return bool(text) and text not in NOTHING


def _decode_each(runs: Sequence[int], sent: Iterable[bytes]) -> Usages:
    """The usage of texts, decoded one by one."""
    found: list[tuple[int, CompletionUsage, int | None, int | None, bytes | None]] = []
    for run, text in zip(runs, sent, strict=True):
        record, unknown = _decode_one(text)
        if record is not None:
            found.append((run, record, *_details(record, unknown)))
    kept_runs, records, cached, reasoning, details = zip(*found, strict=True) if found else ((),) * 5
    usages = RecordColumns(CompletionUsage)
    usages.add(records)
    return Usages(
        arrow.array(kept_runs, BIGINT),
        usages,
        arrow.array(cached, BIGINT),
        arrow.array(reasoning, BIGINT),
        arrow.array(details, VARCHAR),
    )


def _details(
    record: CompletionUsage, unknown: Sequence[tuple[str, bytes]]
) -> tuple[int | None, int | None, bytes | None]:
    """Cached tokens, reasoning tokens, and the detail objects with whatever else has no column."""
    sent: list[tuple[str, bytes]] = list(unknown)
    cached = reasoning = None
    for name in PROMPT_DETAILS:
        details = _detail(sent, name, getattr(record, name))
        cached = details.cached_tokens if cached is None else cached
    for name in COMPLETION_DETAILS:
        details = _detail(sent, name, getattr(record, name))
        reasoning = details.reasoning_tokens if reasoning is None else reasoning
    for name, other in _DOUBLES:
        value = getattr(record, name)
        if isinstance(value, int) and isinstance(getattr(record, other), int):
            sent.append((name, str(value).encode()))
    return cached, reasoning, json_object(sent)


def _detail(sent: list[tuple[str, bytes]], name: str, raw: Raw) -> TokensDetails:
    text = bytes(raw)
    if not _is_there(text):
        return _NO_DETAILS
    sent.append((name, json_text.compact(text)))
    try:
        return _DETAILS.decode(text)
    except msgspec.DecodeError as error:
        raise unfit(error, f"$.usage.{name}") from None
