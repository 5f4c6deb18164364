"""Record types that adopt unknown fields: each is added as a raw-JSON field and then decoded at full speed.

Decoding into a type that forbids unknown fields reports the first of them, at no cost for records without. The decoder
adopts it and tries again; from then on it costs what a declared field costs.
"""

import re
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from runmart.models.record_spec import RecordSpec
from runmart.models.record_specs import RUN
from runmart.models.records import ABSENT
from runmart.models.spellings import FieldNames

MAX_ADOPTED = 64
"""Servers have a handful of fields of their own; text with more has names that are data."""

_PLAIN = re.compile(r"[\w .\-/@$]+\Z")
"""Names that need no escape in JSON, and hold no colon: see `repeated_keys`."""

_INDEX = re.compile(r"\[\d+\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`(?: - at `(\$[^`]*)`)?\Z", re.DOTALL)


class RecordTypes:
    """The types of one kind of records, with the fields adopted so far, and their decoders."""

    def __init__(self, spec: RecordSpec = RUN) -> None:
        self.spec = spec
        self._names = FieldNames(spec.sent_names())
        self._record_fields: dict[str, str] = {}
        self._page_fields: dict[str, str] = {}
        self._build()

    def _build(self) -> None:
        self.record = _extended(self.spec.record, self._record_fields)
        page = _extended(self.spec.page, self._page_fields, data=list[self.record])
        self.pages: msgspec.json.Decoder[Any] = msgspec.json.Decoder(page)
        self.arrays: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[self.record])
        self.records: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self.record)
        self.batch_lines: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_batch_line(self.record))

    @property
    def adopted(self) -> list[tuple[str, str]]:
        """Name as sent and name of the attribute of each adopted field of a record, by name as sent."""
        return sorted(self._record_fields.items())

    @property
    def adopted_by_pages(self) -> list[str]:
        """The attributes of the adopted fields of a page."""
        return list(self._page_fields.values())

    def adopt(self, error: msgspec.ValidationError, *, in_page: bool, within: str | None = None) -> bool:
        """Adopt the unknown field that `error` reports. Returns False when it reports none, or one too many.

        Args:
            error: What the decoder reports.
            in_page: Whether a page was decoded.
            within: The JSON path of the record, without indices, where it has to be in another object.
        """
        match = _UNKNOWN.match(str(error))
        if match is None or (within is not None and _INDEX.sub("[]", match[2] or "$") != within):
            return False
        fields = self._page_fields if in_page and (match[2] or "$") == "$" else self._record_fields
        name = match[1]
        if name in ({"id", "status"} if fields is self._page_fields else {"data"}):
            return False  # which of them comes first tells whether the object is a page
        if len(fields) >= MAX_ADOPTED or name in fields or not _PLAIN.match(name):
            return False
        if fields is self._record_fields and self._names.field_of(name) is not None:
            return False  # another spelling of a declared field, or a column of one that was flattened
        fields[name] = f"extra_{len(fields)}"
        self._build()
        return True


def _batch_line(record: type[Struct]) -> type[Struct]:
    """A line of a batch's output with a record as the body of its response."""
    body = [("body", record), ("status_code", Raw, ABSENT), ("request_id", Raw, ABSENT)]
    response = msgspec.defstruct("BatchResponse", body, forbid_unknown_fields=True, omit_defaults=True, gc=False)
    line = [("custom_id", Raw), ("response", response), ("id", Raw, ABSENT), ("error", None | UnsetType, UNSET)]
    return msgspec.defstruct("BatchLine", line, forbid_unknown_fields=True, omit_defaults=True, gc=False)


def _extended(record: type[Struct], fields: dict[str, str], **types: Any) -> type[Struct]:
    """A type like `record`, with more `fields` (name as sent to name of the attribute), and others of other `types`."""
    if not fields and not types:
        return record
    return msgspec.defstruct(
        record.__name__,
        [*types.items(), *((attribute, Raw, ABSENT) for attribute in fields.values())],
        bases=(record,),
        rename={attribute: name for name, attribute in fields.items()},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
