"""Lenient decoder: decodes a block record by record, so that a bad one is rejected alone."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from runmart.ingest.decode.observations import ObservationBuilder
from runmart.ingest.decode.result import LenientRecord, LenientResult
from runmart.ingest.decode.steps import step
from runmart.ingest.parse import classify, json_scanner
from runmart.ingest.parse.blocks import Block, Lines
from runmart.ingest.parse.classify import Classifier
from runmart.ingest.parse.json_object import UnfitError, object_members
from runmart.models.observations import Origin, Reject
from runmart.models.record_spec import RecordSpec
from runmart.models.statuses import STEP_OBJECT

_MAX_PAGE_DEPTH = 2
"""Pages are looked for in an array, and a page among the runs of a page is rejected: deeper nesting means nothing."""


class _Value(NamedTuple):
    """One JSON value or damaged text, and its position."""

    text: bytes
    line: int
    path: str
    problem: str | None = None


class LenientDecoder:
    """Decodes one block."""

    def __init__(self, classifier: Classifier, builders: Mapping[str, ObservationBuilder], origin: Origin) -> None:
        """Nothing is decoded yet; `builders` are those of each kind of record, by its `object`."""
        self._classifier = classifier
        self._builders = builders
        self._origin = origin
        self.result = LenientResult()

    def decode(self, block: Block) -> None:
        """Add the contents of a block of JSON to the result, in order."""
        if block.problem is not None:
            path = f"{block.path}[{block.index}]"
            self._value(_Value(block.data.rstrip(), block.line, path, block.problem), depth=1)
        elif block.holds_elements:
            self._elements(_Value(block.data, block.line, block.path), 1, block.index, depth=1)
        else:
            lines = Lines(block.data, block.line)
            for start, end, problem in json_scanner.documents(block.data):
                value = _Value(block.data[start:end].rstrip(), lines.line(start), "$", problem)
                if value.text[:1] == b"[":
                    self._list(value, 1, depth=1)
                else:
                    self._value(value)

    def _value(self, value: _Value, depth: int = 0) -> None:
        """A page or a record."""
        start = self._list_of_page(value) if depth < _MAX_PAGE_DEPTH else None
        if start is not None:
            self.result.pages += 1
            self._list(value._replace(path=value.path + ".data"), start, depth + 1)
        elif value.problem is not None:
            self.reject(value.text, value.problem, value.path, value.line)
        else:
            self.item(value.text, value.path, value.line)

    def _list(self, value: _Value, start: int, depth: int) -> None:
        """An array, or the records of a page, that begin at `start`; then the frame around them, if it is damaged."""
        end, is_damaged = self._elements(value, start, 0, depth)
        end = json_scanner.skip_separator(value.text, end)
        is_closed = value.text[end : end + 1] == b"]"
        if value.problem is None or (is_damaged and not is_closed):
            return
        frame = value.text[:start] + value.text[end:]
        problem = json_scanner.value(frame, 0).problem
        if problem is not None:
            self.reject(frame, problem, value.path.removesuffix(".data"), value.line)

    def _elements(self, value: _Value, start: int, index: int, depth: int) -> tuple[int, bool]:
        """Elements from `start` on. Returns where they end, and whether the last one is damaged."""
        text, end, problem = value.text, start, None
        lines = Lines(text, value.line)
        while (piece := json_scanner.next_element(text, end, is_first=end == start)) is not None:
            begin, end, problem = piece
            path = f"{value.path}[{index}]"
            self._value(_Value(text[begin:end].rstrip(), lines.line(begin), path, problem), depth)
            index += 1
        return end, problem is not None

    def item(self, text: bytes, path: str, line: int, member: str | None = None) -> None:
        """Decode one JSON value, or the value of its `member`: a record, another object, or neither."""
        try:
            text.decode()
            inner = object_members(text).get(member) if member else None
            if inner is not None:
                text, path = bytes(inner), f"{path}.{member}"
            self._object(text)
        except UnfitError as error:
            self.reject(text, error.reason, path + error.json_path.removeprefix("$"), line)
        except UnicodeDecodeError as error:
            self.reject(text, f"not UTF-8 at byte {error.start}: {error.reason}", path, line)
        except msgspec.DecodeError as error:
            self.reject(text, json_scanner.explain(str(error), text), path, line)
        except RecursionError:
            self.reject(text, json_scanner.TOO_DEEP, path, line)

    def _object(self, text: bytes) -> None:
        position, kind = self.result.items, self._classifier.kind(text)
        if isinstance(kind, RecordSpec):
            record, extra = self._builders[kind.object].check(text)
            self.result.records.append(LenientRecord(kind, position, record, extra))
        elif kind == STEP_OBJECT:
            self.result.steps.append(step(text, self._origin, position))
        else:
            object_members(text)
            self.skip(kind)

    def reject(self, text: bytes, reason: str, path: str, line: int) -> None:
        """Reject a text that cannot be stored."""
        position = self.result.items
        self.result.rejects.append(Reject(self._origin, position, line, reason, path, text))

    def skip(self, kind: str) -> None:
        """Count an object of a kind that is not stored."""
        self.result.skipped[kind] += 1

    def _list_of_page(self, value: _Value) -> int | None:
        """Where the records of a page begin; None when the object is no page, or has a repeated key."""
        if value.text[:1] != b"{":
            return None
        if value.problem is None:
            try:
                if not self._classifier.is_page(classify.PEEK.decode(value.text)):
                    return None
                object_members(value.text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnfitError):
                return None
        return json_scanner.list_of_page(value.text, 0)
