"""Records become observations: nested objects are decoded, a column at a time, and every unknown field is kept."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from runmart.ingest.decode import choices, extra, json_text, output, usage
from runmart.ingest.decode.dictionary import DictionaryDecoder
from runmart.ingest.decode.instants import explained
from runmart.ingest.decode.members import filled
from runmart.ingest.decode.nested import Known, action, kept_json, nested
from runmart.ingest.decode.normalised import normalised
from runmart.ingest.decode.result import Envelope, Extra, LenientRecord
from runmart.ingest.decode.tools import tools
from runmart.ingest.parse.depth import refuse_deep
from runmart.ingest.parse.json_object import Members, UnfitError, json_object, object_members, unfit
from runmart.ingest.parse.quoting import quoted
from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BOOLEAN, DOUBLE, VARCHAR
from runmart.models.depth import MAX_DEPTH
from runmart.models.observations import Distinct, Observations, Origin, OutputItems
from runmart.models.quirks import INSTANTS
from runmart.models.record_columns import RecordColumns
from runmart.models.record_spec import RecordSpec
from runmart.models.record_specs import RUN
from runmart.models.records import IncompleteDetails, LastError, RunFields, TruncationObject
from runmart.models.spellings import FieldNames

Value = TypeVar("Value")

_TEXT = msgspec.json.Decoder(str | None)
_OBJECTS: dict[str, type[Struct]] = {
    "last_error": LastError,
    "incomplete_details": IncompleteDetails,
    "truncation_strategy": TruncationObject,
}
_JSON: dict[str, Callable[[bytes], bytes | None]] = {
    "tool_choice": kept_json("tool_choice"),
    "response_format": kept_json("response_format"),
    "required_action": action,
}
_metadata = kept_json("metadata")
_FIELD_LEVEL = 2
"""The level of a record on which the values of its fields begin."""


class ObservationBuilder:
    """Makes observations of records of one kind.

    It remembers texts that records have in common, such as the tools of an assistant.
    """

    def __init__(self, spec: RecordSpec = RUN) -> None:
        self.spec = spec
        self._names = spec.sent_names()
        self._fields = FieldNames(self._names)
        self._instants = frozenset(sent for attribute, sent in self._names.items() if attribute in INSTANTS)
        self._is_json = {field.name for field in msgspec.structs.fields(spec.record) if field.type is Raw}
        self._has_output = "output" in self._names
        self._has_choices = "choices" in self._names
        self._decoder = msgspec.json.Decoder(spec.record)
        self._instructions = self._decoder_of("instructions", _text("instructions"))
        self._tools = self._decoder_of("tools", tools)
        self._objects = {name: self._decoder_of(name, nested(name, record)) for name, record in _OBJECTS.items()}
        self._json = {name: self._decoder_of(name, parse) for name, parse in _JSON.items()}
        self._decoders: dict[str, DictionaryDecoder[Any]] = {
            **self._objects,
            **self._json,
            "instructions": self._instructions,
            "tools": self._tools,
        }
        others = spec.meanings.keys() - self._decoders.keys()
        self._texts = {name: self._decoder_of(name, _text(name)) for name in sorted(others)}
        self._decoders |= self._texts

    def _decoder_of(self, name: str, parse: Callable[[bytes], Value]) -> DictionaryDecoder[Value]:
        """A decoder of the texts of an attribute; errors name the field as sent."""
        meaning, sent_name = self.spec.meanings.get(name), self._names.get(name, name)

        def decode(sent: bytes) -> Value:
            refuse_deep(sent, _FIELD_LEVEL)
            try:
                return parse(meaning(sent) if meaning and sent else sent)
            except UnfitError as error:
                if sent_name == name:
                    raise
                path = f"$.{sent_name}" + error.json_path.removeprefix(f"$.{name}")
                raise UnfitError(error.reason, path) from None

        return DictionaryDecoder(decode)

    def columns(self, record: type[Struct] | None = None) -> RecordColumns:
        """Columns for records of the spec's type, or of a type with adopted fields."""
        return RecordColumns(record or self.spec.record, self.spec.common, self.spec.long, RunFields)

    def build(
        self,
        columns: RecordColumns,
        origins: Sequence[tuple[Origin, int]],
        positions: Sequence[int],
        adopted: Iterable[tuple[str, str]] = (),
        alone: Sequence[LenientRecord] | None = None,
    ) -> Observations:
        """Observations of records (n).

        Args:
            columns: The columns of the records.
            origins: Where they come from, in order: an origin, and how many of the records have it.
            positions: The position of each in its input (shape: n).
            adopted: Fields that the spec does not declare and that have a column: name as sent, name of the column.
            alone: The records with what was found beside them, if they were decoded one by one (shape: n).

        Raises:
            UnfitError: A value within a record does not fit.
        """
        items = self._items(columns)
        objects = {name: decoder.decode(columns.encoded(name)) for name, decoder in self._objects.items()}
        json = {
            name: decoder.decode(columns.encoded(name)).array(lambda text: text, VARCHAR)
            for name, decoder in self._json.items()
        }
        json["metadata"] = _json_of_metadata(columns.texts("metadata"))
        unknown = {name: [one.text if one.unknown else None for one in found.values] for name, found in objects.items()}
        extras = None if alone is None else [one.extra for one in alone]
        json["extra"] = extra.column(columns, self.spec, adopted, unknown, extras)
        derived = {name: derive(columns) for name, derive in self.spec.derived.items()}
        if items is not None:
            derived["waits_for_client"] = items.waits
        if self.spec.statuses:
            array, statuses = columns.encoded("status")
            known = [self.spec.statuses.get(status, status) for status in statuses]
            derived["status"] = arrow.dictionary(array.indices, known, VARCHAR)
        for name, column in derived.items():
            columns.put(name, column)
        if alone is not None and self.spec.is_request:
            _put_envelopes(columns, [one.envelope for one in alone])
        for name, decoder in self._texts.items():
            columns.put(name, decoder.decode(columns.encoded(name)).array(lambda text: text, VARCHAR))
        return Observations(
            columns,
            origins,
            positions,
            json,
            self._instructions.decode(columns.encoded("instructions")),
            usage.decode(columns.texts("usage")),
            self._tools.decode(columns.encoded("tools")),
            *(_records(found) for found in objects.values()),
            output=items,
        )

    def _items(self, columns: RecordColumns) -> OutputItems | None:
        """The items in outputs; of completions, choices also tell the status and why they are incomplete."""
        if self._has_choices:
            found = choices.decode(columns.texts("choices"))
            columns.put("status", found.statuses)
            columns.put("incomplete_details", found.details)
            return found.items
        return output.decode(columns.texts("output")) if self._has_output else None

    def check(self, text: bytes) -> tuple[Struct, Extra]:
        """The record in one JSON object, its quirks normalised, and the fields that it does not declare.

        Raises:
            UnfitError: It cannot be stored.
        """
        refuse_deep(text)
        try:
            members = object_members(text)
            sent, undeclared = filled(self._read(members), self._fields)
        except msgspec.DecodeError as error:
            raise unfit(error) from None
        try:
            return self._record(sent), undeclared
        except UnfitError as error:
            raise self._as_sent(error) from None

    def _read(self, members: Members) -> Members:
        """The members of a record, made of those as sent."""
        if self.spec.read is None:
            return members
        try:
            return self.spec.read(members)
        except ValueError as error:
            reason, path, found = error.args
            raise UnfitError(f"{reason}, got {quoted(found)}" if found else reason, path) from None

    def _as_sent(self, error: UnfitError) -> UnfitError:
        """`error`, with the path of what the member at fault was made of."""
        name, *rest = re.split(r"(?=[.\[])", error.json_path.removeprefix("$."), maxsplit=1)
        sent = self.spec.read_names.get(name)
        return error if sent is None else UnfitError(error.reason, f"$.{sent}{''.join(rest)}")

    def _record(self, sent: Mapping[str, bytes]) -> Struct:
        """The record of which these are the fields."""
        known = {name: self._normalised(self._fields.attribute(name), value) for name, value in sent.items()}
        try:
            record: Any = self._decoder.decode(json_object(list(known.items())) or b"{}")
        except msgspec.DecodeError as error:
            raise explained(unfit(error), sent, self._instants) from None
        for name, decoder in self._decoders.items():
            decoder.decode_one(bytes(getattr(record, name, b"")))
        _metadata(bytes(getattr(record, "metadata", b"")))
        usage.check(bytes(getattr(record, "usage", b"")))
        output.check(bytes(getattr(record, "output", b"")))
        if self._has_choices:
            choices.check(bytes(record.choices))
        return record

    def _normalised(self, attribute: str, value: bytes) -> bytes:
        """A value as it is decoded; JSON stays as sent until then."""
        return value if attribute in self._is_json else normalised(attribute, value)


def _put_envelopes(columns: RecordColumns, envelopes: Sequence[Envelope]) -> None:
    """Put what the objects around records (n) say of them."""
    columns.put("is_batch", arrow.array([one.is_batch for one in envelopes], BOOLEAN))
    columns.put("duration_seconds", arrow.array([one.seconds for one in envelopes], DOUBLE))
    columns.put("latency_source", arrow.array([one.source for one in envelopes], VARCHAR))


def _records(found: Distinct[Known[Any]]) -> Distinct[Any]:
    return Distinct(found.indices, [known.record for known in found.values])


def _text(name: str) -> Callable[[bytes], str | None]:
    """The decoder of an attribute that is a text, kept as JSON.

    Raises:
        UnfitError: It is no text.
    """

    def decode(sent: bytes) -> str | None:
        try:
            return _TEXT.decode(normalised(name, sent)) if sent else None
        except msgspec.DecodeError as error:
            raise unfit(error, f"$.{name}") from None

    return decode


def _json_of_metadata(sent: Array) -> Array:
    """Metadata (shape: n), compact. Hardly any two are equal, so there is no dictionary.

    Raises:
        UnfitError: One is no object, or nested too deep.
    """
    is_object = compute.starts_with(sent, b"{")
    objects = compute.sum(is_object).as_py() or 0
    if _brackets(sent) - objects >= MAX_DEPTH - 1:
        for text in sent.to_pylist():
            refuse_deep(text, _FIELD_LEVEL)
    if objects == len(sent):
        return json_text.compacted(sent).view(VARCHAR)
    return arrow.array(list(map(_metadata, sent.to_pylist())), VARCHAR)


def _brackets(texts: Array) -> int:
    """The number of opening brackets in a column of JSON texts."""
    data = texts.buffers()[2]
    whole = data.to_pybytes() if data else b""
    return whole.count(b"[") + whole.count(b"{")
