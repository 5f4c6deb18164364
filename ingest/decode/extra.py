"""The column `extra`: all that records hold without a column of its own, as JSON objects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import UNSET

from runmart.ingest.decode import json_text
from runmart.ingest.decode.json_text import Member
from runmart.ingest.decode.result import Extra
from runmart.ingest.parse.depth import refuse_deep
from runmart.ingest.parse.json_object import json_object
from runmart.models import arrow
from runmart.models.arrow import Array
from runmart.models.columns import VARCHAR
from runmart.models.record_columns import RecordColumns
from runmart.models.record_spec import RecordSpec


def column(
    columns: RecordColumns,
    spec: RecordSpec,
    adopted: Iterable[tuple[str, str]],
    unknown: Mapping[str, Sequence[bytes | None]],
    extras: Sequence[Extra] | None,
) -> Array:
    """JSON objects of the undeclared fields, and of the objects with unknown members, of records (shape: n).

    Args:
        columns: The columns of the records, as sent.
        spec: Their kind.
        adopted: Undeclared fields that have a column: name as sent, name of the column.
        unknown: Attributes that are objects: each distinct one that has unknown members, None in place of others.
        extras: Undeclared fields that have no column (shape: n).
    """
    members = [
        *_whole_fields(columns, [*adopted, *((spec.sent_names()[name], name) for name in sorted(spec.whole))]),
        *_unknown_members(columns, spec, unknown),
        *_agents(columns),
    ]
    if extras is None:
        return json_text.objects(members, columns.count)
    whole = [list(extra) for extra in extras]
    for member in members:
        indices: list[int] = member.indices.to_pylist()
        for extra, index in zip(whole, indices, strict=True):
            if (text := member.values[index]) is not None:
                extra.append((member.name, text))
    return arrow.array(map(json_object, whole), VARCHAR)


def _whole_fields(columns: RecordColumns, fields: Iterable[tuple[str, str]]) -> Iterator[Member]:
    """Fields that are kept whole: name as sent, name of the column."""
    for name, attribute in fields:
        if columns.is_sent(attribute):
            array, texts = columns.encoded(attribute)
            for text in texts:
                refuse_deep(text, level=2)
            yield Member(name, array.indices, [text or None for text in texts])


def _unknown_members(
    columns: RecordColumns, spec: RecordSpec, unknown: Mapping[str, Sequence[bytes | None]]
) -> Iterator[Member]:
    """Objects with unknown members, and those of which only a meaning is stored elsewhere."""
    names = spec.sent_names()
    for name in unknown.keys() | spec.meanings.keys():
        array, texts = columns.encoded(name)
        values = [text if text[:1] == b"{" else None for text in texts] if name in spec.meanings else unknown[name]
        if any(values):
            yield Member(names[name], array.indices, values)


def _agents(columns: RecordColumns) -> Iterator[Member]:
    """Azure's `agent_id` where it is another than the assistant's id."""
    if not columns.is_sent("agent_id") or not columns.is_sent("assistant_id"):
        return
    pairs = zip(columns.values("agent_id"), columns.values("assistant_id"), strict=True)
    differing = [
        msgspec.json.encode(agent) if agent is not UNSET and agent != assistant and isinstance(assistant, str) else None
        for agent, assistant in pairs
    ]
    if any(differing):
        yield Member("agent_id", arrow.array(range(columns.count)), differing)
