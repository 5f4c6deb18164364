"""Record specs: how a kind of records that become runs is sent."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec import Raw, Struct
from msgspec.structs import fields

from runmart.models.arrow import Array
from runmart.models.record_columns import RecordColumns
from runmart.models.records import ListRunsResponse
from runmart.models.redaction_policy import ContentField

Meaning = Callable[[bytes], bytes]
"""From JSON as sent to JSON as a run would have it; JSON that it does not know comes back as it is."""

Read = Callable[[Mapping[str, Raw]], dict[str, Raw]]
"""From the members of a record as sent to those of its Struct. Where one cannot be read it raises
ValueError with the reason, the JSON path, and what was found there as far as the reason speaks of it."""

Derive = Callable[[RecordColumns], Array]
"""From the columns of records (n), as sent, to a field of theirs (shape: n)."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordSpec:
    """One kind of record."""

    object: str
    """What its `object` field says."""
    record: type[Struct]
    """The record. Its attributes have the names of those of `RunFields`, which are the fields of observations; what
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
    derived: Mapping[str, Derive] = field(default_factory=dict[str, Derive])
    """Fields of observations that are made of several attributes."""
    whole: frozenset[str] = frozenset()
    """Attributes kept as JSON that are kept whole, in `extra`; `derived` may take parts of them."""
    unstored: frozenset[str] = frozenset()
    """Attributes kept as JSON that have no column, and are no part of `extra`: what is stored of them, if anything, is
    made by `decode.output`."""
    statuses: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other words that servers use for a status."""
    is_request: bool = False
    """Whether it is the answer to one request, so that it may be in a line of a batch's output, and what was measured
    of the request tells its duration, if it tells its status itself."""
    mark: bytes = b""
    """Bytes that each text has in which there is such a record."""
    shown_by: frozenset[str] = frozenset()
    """Members, under exactly these names, that show such a record where an object does not say what it is and has no
    `id`; if `status` is among them, it has to be one of `statuses`."""
    read: Read | None = None
    """Makes a record of what is sent otherwise. Such records are decoded one by one."""
    plain: frozenset[str] = frozenset()
    """Members that `read` looks at and that are no content, beside those of `shown_by` and the record's own."""
    read_names: Mapping[str, str] = field(default_factory=dict[str, str])
    """Members that `read` makes: the name as sent of what they are made of."""
    content: Mapping[str, ContentField] = field(default_factory=dict[str, ContentField])
    """Attributes that are texts and content: what a redaction policy calls them."""

    def sent_names(self) -> dict[str, str]:
        """Attribute to name as sent, of each field of the record."""
        return {one.name: one.encode_name for one in fields(self.record)}
