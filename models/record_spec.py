"""Record specs: the kinds of records that become runs, and how each is sent.

A new kind needs a Struct in `records`, a `RecordSpec` here with its place in `SPECS` and, where a server means by some
JSON what a run says otherwise, functions in `quirks` that say so. Statuses that runs do not have also belong into the
views that list statuses; a test of the views fails until they do.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import fields

from runmart.models.records import ListRunsResponse, RunRecord
from runmart.models.redaction_policy import ContentField

Meaning = Callable[[bytes], bytes]
"""From JSON as sent to JSON as a run would have it; JSON that it does not know comes back as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordSpec:
    """One kind of record."""

    object: str
    """What its `object` field says."""
    record: type[Struct]
    """The record. Its attributes have the names of those of `RunRecord`, which are the fields of observations; what
    they are called when sent is said by `rename` or `msgspec.field(name=...)`. An attribute that the record lacks is
    null in each observation; unknown fields must be forbidden, and a field without a value be `UNSET` or `ABSENT`."""
    events: re.Pattern[str]
    """The names of the events of a stream that carry it."""
    event_member: str | None = None
    """The member of an event's data that holds the record; None where the data are the record."""
    page: type[Struct] = ListRunsResponse
    """A page of such records, which are in its field `data`. A field without a value must be left out in JSON."""
    terminal_statuses: tuple[str, ...] = ()
    """Statuses in which it has ended for good. In each other one, unknown ones included, it is still open."""
    common: frozenset[str] = frozenset()
    """Attributes whose texts many records share: each distinct one is looked at once."""
    long: frozenset[str] = frozenset()
    """Attributes that are kept as JSON and hold more than some words."""
    meanings: Mapping[str, Meaning] = field(default_factory=dict[str, Meaning])
    """Attributes that are kept as JSON and mean something else than they say. Where such JSON is an object it is kept
    in `extra` as well, since it may hold more. `metadata` and `usage` can't be among them."""
    content: Mapping[str, ContentField] = field(default_factory=dict[str, ContentField])
    """Attributes that are texts and content: what a redaction policy calls them."""

    def sent_names(self) -> dict[str, str]:
        """Attribute to name as sent, of each field of the record."""
        return {one.name: one.encode_name for one in fields(self.record)}


RUN = RecordSpec(
    object="thread.run",
    record=RunRecord,
    events=re.compile(r"thread\.run\.(?!step\.)"),
    terminal_statuses=("completed", "failed", "cancelled", "expired", "incomplete"),
    common=frozenset(
        {"object", "assistant_id", "status", "model", "instructions", "tools", "tool_choice", "response_format"}
        | {"required_action", "last_error", "incomplete_details", "truncation_strategy"}
    ),
    long=frozenset({"instructions", "tools", "usage"}),
    content={"instructions": "instructions"},
)
"""The run of the threads/runs API. Source: the OpenAI API description, `RunObject` and `RunStreamEvent`."""

SPECS: tuple[RecordSpec, ...] = (RUN,)
"""All kinds. What does not say what it is, or uses a server's own word for it, is of the first kind."""
