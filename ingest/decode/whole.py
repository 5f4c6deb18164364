"""Whole-block decoder: decodes a block by one call of msgspec, provided that all in it are good records of one kind."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from msgspec import Raw, Struct

from runmart.ingest.parse.classify import MAY_HOLD_RUN, MENTION, Classifier
from runmart.ingest.parse.json_object import Members
from runmart.ingest.parse.record_types import RecordTypes
from runmart.models import arrow
from runmart.models.columns import VARCHAR
from runmart.models.record_spec import RecordSpec


class WholeBlock(NamedTuple):
    """The records of a block."""

    types: RecordTypes
    record: type[Struct]
    """The type of the records, one of `types` at the time."""
    records: list[Any]
    page: Struct | None = None
    """The page that they are in, without them."""
    lines: Sequence[Any] = ()
    """The lines of a batch's output that they are in (shape: as `records`), without them."""


class WholeDecoder:
    """Decodes blocks of records of one kind."""

    def __init__(self, spec: RecordSpec, classifier: Classifier) -> None:
        self._spec = spec
        self._classifier = classifier
        self._types = RecordTypes(spec)
        self._shapes: list[Callable[[bytes], WholeBlock]] = [self._page, self._lines, self._array]
        self._shapes += [self._batch_lines] if spec.is_request else []

    def decode(self, data: bytes) -> WholeBlock | None:
        """The records in a text; None where it cannot be decoded by one call, or holds something else.

        Keys may be repeated in it: see `repeated_keys`.
        """
        if self._spec.mark not in data:
            return None  # each further try reads the text again
        for shape in list(self._shapes):
            try:
                found = self._decode(shape, data)
            except (msgspec.DecodeError, RecursionError):
                continue
            if not self._classifier.are_records(found.records, self._spec):
                return None
            self._shapes.remove(shape)
            self._shapes.insert(0, shape)  # most inputs have the shape of the one before
            return found
        return None

    def _decode(self, shape: Callable[[bytes], WholeBlock], data: bytes) -> WholeBlock:
        """Decode `data` by `shape`, after adopting the unknown fields in it."""
        while True:
            try:
                return shape(data)
            except msgspec.ValidationError as error:
                in_page, within = shape == self._page, _BODY if shape == self._batch_lines else None
                holds_records = within is not None or self._holds_records(data, in_page=in_page)
                if not holds_records or not self._types.adopt(error, in_page=in_page, within=within):
                    raise

    def _page(self, data: bytes) -> WholeBlock:
        page = self._types.pages.decode(data)
        for name in (*_FRAME, *self._types.adopted_by_pages):
            sent = bytes(getattr(page, name, b""))
            if (b"{" in sent and MAY_HOLD_RUN.search(sent)) or MENTION.search(sent):
                raise msgspec.ValidationError("runs may be beside the list of a page")
        records, page.data = page.data, []
        return WholeBlock(self._types, self._types.record, records, page)

    def _lines(self, data: bytes) -> WholeBlock:
        return WholeBlock(self._types, self._types.record, self._types.records.decode_lines(data))

    def _array(self, data: bytes) -> WholeBlock:
        return WholeBlock(self._types, self._types.record, self._types.arrays.decode(data))

    def _batch_lines(self, data: bytes) -> WholeBlock:
        """Lines of a batch's output, of which each has a record."""
        if _CUSTOM_ID not in data:
            raise msgspec.ValidationError("these are no lines of a batch")
        lines = self._types.batch_lines.decode_lines(data)
        if any(map(_may_hold_more, lines)) or any(name == "custom_id" for name, _ in self._types.adopted):
            raise msgspec.ValidationError("runs may be beside a response, or it has a name of its own for its line")
        records = [line.response.body for line in lines]
        for line in lines:
            line.response.body = None
        return WholeBlock(self._types, self._types.record, records, lines=lines)

    def _holds_records(self, data: bytes, *, in_page: bool) -> bool:
        """Whether the objects in a text are records of this kind: the fields of others are not worth adopting."""
        try:
            if in_page:
                objects = _OBJECTS.decode(_PAGE.decode(data).data)
            elif data.lstrip()[:1] == b"[":
                objects = _OBJECTS.decode(data)
            else:
                objects = _OBJECT.decode_lines(data)
        except (msgspec.DecodeError, RecursionError):
            return False
        return bool(objects) and all(self._classifier.kind_of_members(one) is self._spec for one in objects)


_CUSTOM_ID = b'"custom_id"'
_BODY = "$[].response.body"
_FRAME = ("object", "first_id", "last_id", "has_more")


class _Page(Struct):
    data: Raw


_PAGE = msgspec.json.Decoder(_Page)
_OBJECT: msgspec.json.Decoder[Members] = msgspec.json.Decoder(Members)
_OBJECTS: msgspec.json.Decoder[list[Members]] = msgspec.json.Decoder(list[Members])


def _may_hold_more(line: Any) -> bool:
    """Whether there may be records beside the response in a line of a batch, or its id is no text."""
    answer = line.response
    parts = (bytes(one) for one in (line.id, line.custom_id, answer.status_code, answer.request_id))
    return bytes(line.custom_id)[:1] != b'"' or any(b"{" in one for one in parts)


def is_utf8(data: bytes) -> bool:
    """Whether a text is valid UTF-8, which msgspec does not check in JSON that is kept as sent."""
    try:
        return data.isascii() or bool(arrow.binary(data, (0, len(data))).cast(VARCHAR))
    except pa.ArrowInvalid:
        return False
