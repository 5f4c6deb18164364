"""Usage of runs: token counts under the names of both generations of the API, and their details."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from runmart.ingest.decode import json_text
from runmart.ingest.decode.costs import reported_cost
from runmart.ingest.decode.json_text import Member
from runmart.ingest.decode.nested import nested
from runmart.ingest.decode.normalised import normalised
from runmart.ingest.parse.depth import refuse_deep
from runmart.ingest.parse.json_object import UnfitError, json_object, unfit
from runmart.ingest.parse.repeated_keys import columns_may_repeat_key
from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BIGINT, BINARY, DOUBLE, VARCHAR
from runmart.models.observations import Usages
from runmart.models.quirks import NOTHING, RENAMED
from runmart.models.record_columns import RecordColumns
from runmart.models.records import CompletionUsage, Int64, TokensDetails, UsualDetails


def _renamed(known: str) -> tuple[str, ...]:
    """The names in usage of what is known by one name, that name first."""
    return known, *(sent.removeprefix("usage.") for sent, stands_for, _ in RENAMED if stands_for == f"usage.{known}")


class _Part(NamedTuple):
    """A part of a token count, and where it is sent; the first place that has it counts."""

    name: str
    objects: tuple[str, ...]
    flat: tuple[str, ...]


def _part(details: str, name: str) -> _Part:
    return _Part(name, _renamed(details), _renamed(f"{details}.{name}")[1:])


_CACHED = _part("prompt_tokens_details", "cached_tokens")
_WRITTEN = _part("prompt_tokens_details", "cache_write_tokens")
_REASONING = _part("completion_tokens_details", "reasoning_tokens")
_DOUBLES = (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"))
_USAGES = msgspec.json.Decoder(list[CompletionUsage])
_DETAILS = msgspec.json.Decoder(TokensDetails)
_USUAL_DETAILS = msgspec.json.Decoder(UsualDetails)
_COUNT: msgspec.json.Decoder[int | None] = msgspec.json.Decoder(Int64 | None)
_NOTHING = arrow.array(sorted(NOTHING | {b""}), BINARY)
_DETAILS_LEVEL = 3
"""The level of a record on which the detail objects begin."""
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
    _decoded(text)


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
        cached, written = _parts(sent, (_CACHED, _WRITTEN), details)
        [reasoning] = _parts(sent, (_REASONING,), details)
    except (msgspec.DecodeError, UnfitError):
        return None
    none = arrow.nulls(sent.count, DOUBLE)  # a cost is no declared member
    return Usages(runs, sent, cached, written, reasoning, json_text.objects(details, sent.count), none)


def _are_both_sent(sent: RecordColumns, name: str, other: str) -> bool:
    """Whether a record has a count under both names: today's fills the column, the other is added to the details."""
    if not sent.is_sent(name) or not sent.is_sent(other):
        return False
    return bool(compute.any(compute.and_(sent.array(name).is_valid(), sent.array(other).is_valid())).as_py())


def _parts(sent: RecordColumns, parts: Sequence[_Part], details: list[Member]) -> list[Array]:
    """Parts of a token count, each from the first detail object that has it; the objects are added to `details`."""
    found: list[list[Array]] = [[] for _ in parts]
    for name in parts[0].objects:
        if name not in sent or not sent.is_sent(name):
            continue
        array, distinct = sent.encoded(name)
        values = [_plain_details(name, text) if _is_there(text) else _NO_DETAILS for text in distinct]
        kept = [json_text.compact(text) if _is_there(text) else None for text in distinct]
        for part, columns in zip(parts, found, strict=True):
            columns.append(arrow.array([getattr(value, part.name) for value in values], BIGINT).take(array.indices))
        details.append(Member(name, array.indices, kept))
    return [compute.coalesce(*columns) if columns else arrow.nulls(sent.count, BIGINT) for columns in found]


def _plain_details(name: str, text: bytes) -> TokensDetails | UsualDetails:
    """A detail object in which every known part has its own name and is a number.

    Raises:
        msgspec.DecodeError: One has another spelling, or a value that is not stored as it was sent.
        UnfitError: It is nested too deep, or no object at all.
    """
    try:
        return _USUAL_DETAILS.decode(text)
    except msgspec.DecodeError:
        refuse_deep(text, _DETAILS_LEVEL)
        usage = b'{"%s":%s}' % (name.encode(), text)
        if normalised("usage", usage) is not usage:
            raise
    return _DETAILS.decode(text)


def _is_there(text: bytes) -> bool:
    return bool(text) and text not in NOTHING


_Details = tuple[int | None, int | None, int | None, bytes | None]


def _decoded(text: bytes) -> tuple[CompletionUsage, *_Details, float | None] | None:
    """The usage of one run; its cached, written and reasoning tokens, its details, and its cost in US dollars."""
    refuse_deep(text, _DETAILS_LEVEL - 1)
    record, unknown, _ = _decode_one(text)
    return None if record is None else (record, *_details(record, unknown), reported_cost(dict(unknown)))


def _decode_each(runs: Sequence[int], sent: Iterable[bytes]) -> Usages:
    """The usage of texts, decoded one by one."""
    decoded = ((run, _decoded(text)) for run, text in zip(runs, sent, strict=True))
    found = [(run, *one) for run, one in decoded if one is not None]
    kept_runs, records, cached, written, reasoning, details, costs = zip(*found, strict=True) if found else ((),) * 7
    usages = RecordColumns(CompletionUsage)
    usages.add(records)
    return Usages(
        arrow.array(kept_runs, BIGINT),
        usages,
        arrow.array(cached, BIGINT),
        arrow.array(written, BIGINT),
        arrow.array(reasoning, BIGINT),
        arrow.array(details, VARCHAR),
        arrow.array(costs, DOUBLE),
    )


def _details(record: CompletionUsage, unknown: Sequence[tuple[str, bytes]]) -> _Details:
    """Cached, written and reasoning tokens, and the detail objects with whatever else has no column."""
    sent = [(name, json_text.compact(value)) for name, value in unknown]
    others = dict(unknown)
    cached, written = _of_objects((_CACHED, _WRITTEN), record, others, sent)
    [reasoning] = _of_objects((_REASONING,), record, others, sent)
    if cached is None:
        cached = _flat(_CACHED, others)
    if reasoning is None:
        reasoning = _flat(_REASONING, others)
        completions = [one for one in (record.completion_tokens, record.output_tokens) if isinstance(one, int)]
        if reasoning is not None and completions and reasoning > completions[0]:
            reasoning = None  # some servers count them beside the completion tokens
    for name, other in _DOUBLES:
        value = getattr(record, name)
        if isinstance(value, int) and isinstance(getattr(record, other), int):
            sent.append((name, str(value).encode()))
    return cached, written, reasoning, json_object(sent)


def _of_objects(
    parts: Sequence[_Part],
    record: CompletionUsage,
    others: Mapping[str, bytes],
    sent: list[tuple[str, bytes]],
) -> list[int | None]:
    """Parts of a count, each from the first detail object that has it; declared objects are added to `sent`."""
    found: list[int | None] = [None] * len(parts)
    for name in parts[0].objects:
        text = bytes(getattr(record, name, b"")) or others.get(name, b"")
        if not _is_there(text):
            continue
        if name not in others:
            sent.append((name, json_text.compact(text)))
        try:
            details = _DETAILS.decode(text)
        except msgspec.DecodeError as error:
            raise unfit(error, f"$.usage.{name}") from None
        values = [getattr(details, part.name) for part in parts]
        found = [value if one is None else one for one, value in zip(found, values, strict=True)]
    return found


def _flat(part: _Part, others: Mapping[str, bytes]) -> int | None:
    """A part of a token count that is sent without an object around it."""
    found: int | None = None
    for name in part.flat:
        try:
            value = _COUNT.decode(others.get(name, b"null"))
        except msgspec.DecodeError as error:
            raise unfit(error, f"$.usage.{name}") from None
        found = value if found is None else found
    return found
