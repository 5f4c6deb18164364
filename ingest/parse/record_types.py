"""Wire types that grow: a field that a server sends and the API does not know becomes a field of the type.

Decoding into a type that forbids unknown fields tells of an unknown one at no cost for those without. The field is then
added, kept as raw JSON, and from there on costs what a known field costs.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from runmart.models.records import ABSENT, ListRunsResponse, RunRecord

MAX_LEARNT = 64
"""Servers have a handful of fields of their own; text with more has names that are data."""

_PLAIN = re.compile(r"[\w .\-/@$]+\Z")
"""Names that need no escape in JSON and hold no colon, which the ledger would have to know of."""

_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`(?: - at `(\$[^`]*)`)?\Z", re.DOTALL)


class RecordTypes:
    """The record types of the moment, with their decoders."""

    def __init__(self) -> None:
        self._run_fields: dict[str, str] = {}
        self._page_fields: dict[str, str] = {}
        self._build()

    def _build(self) -> None:
        self.run = _extended(RunRecord, self._run_fields)
        page = _extended(ListRunsResponse, self._page_fields, data=list[self.run])
        self.pages: msgspec.json.Decoder[Any] = msgspec.json.Decoder(page)
        self.runs: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[self.run])
        self.lines: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self.run)
        self.page_fields = [field.name for field in msgspec.structs.fields(page) if field.name != "data"]

    @property
    def extras(self) -> list[tuple[str, str]]:
        """Name on the wire and name of the attribute of each learnt field of a run, by name on the wire."""
        return sorted(self._run_fields.items())

    def learn(self, error: msgspec.ValidationError, *, in_page: bool) -> bool:
        """Take up the unknown field that `error` tells of; False when it tells of none, or of one too many."""
        match = _UNKNOWN.match(str(error))
        if match is None:
            return False
        fields = self._page_fields if in_page and (match[2] or "$") == "$" else self._run_fields
        name = match[1]
        if len(fields) >= MAX_LEARNT or name in fields or not _PLAIN.match(name):
            return False
        fields[name] = f"extra_{len(fields)}"
        self._build()
        return True


def _extended(record: type[Struct], fields: dict[str, str], **types: Any) -> type[Struct]:
    """A type like `record`, with more `fields` (name on the wire to name of the attribute), others of other `types`."""
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
