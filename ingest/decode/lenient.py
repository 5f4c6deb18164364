"""Lenient decoder: decodes a text piece by piece, so that a bad piece is rejected alone, and accounts for each byte.

Objects that hold runs (a saved log, an index's hits, an object by id) give them up, wherever in it they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from msgspec import Raw

from runmart.ingest.decode.ledger import Ledger
from runmart.ingest.decode.observations import ObservationBuilder
from runmart.ingest.decode.result import LenientRecord, LenientResult
from runmart.ingest.decode.steps import step
from runmart.ingest.parse import reasons
from runmart.ingest.parse.blocks import Block, Lines
from runmart.ingest.parse.classify import MAY_HOLD_RUN, UNKNOWN, Classifier
from runmart.ingest.parse.formats import FORMATS, Format, Item, format_named
from runmart.ingest.parse.json_object import Members, UnfitError, object_members
from runmart.ingest.parse.json_scanner import Member, elements, list_of_page, members, skip_separator, value_end
from runmart.ingest.parse.pieces import OpenList, Piece, PieceScanner
from runmart.models.observations import Origin, Reject
from runmart.models.record_spec import RecordSpec
from runmart.models.statuses import STEP_OBJECT

MAX_DEPTH = 128
"""Levels of objects and arrays in which runs are looked for."""

MAX_TEXTS = 4
"""Levels of texts within texts that are read as JSON."""

_DONE = b"[DONE]"
_MEMBERS: msgspec.json.Decoder[Members] = msgspec.json.Decoder(Members)
_LIST: msgspec.json.Decoder[list[Raw]] = msgspec.json.Decoder(list[Raw])
_TEXT = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True)
class _Event:
    """The event that a value belongs to."""

    name: str = ""
    spec: RecordSpec | None = None
    """The kind of record that its name promises."""
    member: str | None = None
    """The member of its data that holds the record; None where the data are the record."""


_NO_EVENT = _Event()


class LenientDecoder:
    """Decodes one block."""

    def __init__(
        self,
        classifier: Classifier,
        builders: Mapping[str, ObservationBuilder],
        origin: Origin,
        formats: Sequence[Format] = FORMATS,
    ) -> None:
        """Nothing is decoded yet; `builders` are those of each kind of record, by its `object`."""
        self.classifier = classifier
        self.builders = builders
        self.origin = origin
        self.formats = formats
        self.result = LenientResult()

    def decode(self, block: Block) -> None:
        """Add the contents of a block to the result, in order."""
        has_path = block.content not in {"documents", "elements"}
        text = _Text(self, block.data, block.line, block.path if has_path else "$")
        if block.content == "documents":
            text.read(PieceScanner(self.formats))
        elif block.content == "elements":
            text.read_elements(PieceScanner(self.formats, [OpenList(block.path, b"[", index=block.index)]))
        elif block.content == "opening":
            self.result.pages += _is_page(block.path, block.data[block.start :])
        elif block.content == "closing":
            frame = OpenList(block.path, block.opening, block.opening_line)
            text.frame(frame, block.data[block.start :], block.problem)
        elif block.content == "text":
            text.formatted(block.start, len(block.data), "$", block.format)
        else:
            text.reject(block.start, len(block.data), block.problem or reasons.UNEXPLAINED)

    def within(self, found: LenientResult) -> "LenientDecoder":
        """A decoder with the same settings and another result."""
        decoder = LenientDecoder(self.classifier, self.builders, self.origin, self.formats)
        decoder.result = found
        return decoder


def _is_page(path: str, opening: bytes) -> bool:
    return path.endswith(".data") and opening[:1] == b"{"


class _Text:
    """One text: a block, or a text that is a value in another one."""

    def __init__(
        self,
        decoder: LenientDecoder,
        data: bytes,
        line: int,
        path: str,
        event: _Event = _NO_EVENT,
        level: int = 0,
    ) -> None:
        """`path` is that of the text, `event` the event whose data it is, `level` the number of texts around it."""
        self._decoder = decoder
        self._classifier = decoder.classifier
        self._result = decoder.result
        self._data = data
        self._lines = Lines(data, line)
        self._path = path
        self._event = event
        self._level = level
        self._depth = 0
        self._ledger = Ledger(data)

    def read(self, scanner: PieceScanner) -> None:
        """Decode all pieces of the text."""
        at = 0
        while (piece := scanner.next(self._data, at, final=True)) is not None:
            self._piece(scanner, piece)
            at = piece.end
        self._reject_rest()

    def read_elements(self, scanner: PieceScanner) -> None:
        """Decode the elements of a list that the text holds, without its frame."""
        at = 0
        while skip_separator(self._data, at) < len(self._data):
            piece = scanner.next(self._data, at, final=True)
            if piece is None or piece.role == "closing":
                break
            self._piece(scanner, piece)
            at = piece.end
        self._reject_rest()

    def _reject_rest(self) -> None:
        """Reject what is not accounted for."""
        for start, end in list(self._ledger.unexplained()):
            self.reject(start, end, reasons.UNEXPLAINED)

    def _piece(self, scanner: PieceScanner, piece: Piece) -> None:
        path = self._path + scanner.path[1:]
        line = self._lines.line(piece.start)
        if piece.role == "value":
            self._value(piece.start, piece.end, path)
        elif piece.role == "damaged":
            self.reject(piece.start, piece.end, piece.problem or reasons.UNEXPLAINED, path)
        elif piece.role == "text":
            self.formatted(piece.start, piece.end, path, piece.name)
        elif piece.role == "opening":
            self._ledger.claim(piece.start, piece.end)
        else:
            frame = scanner.lists[-1]
            self._ledger.claim(piece.start, piece.end)
            self.frame(frame, self._data[piece.start : piece.end], piece.problem)
        scanner.advance(self._data, piece, line)
        if piece.role == "opening":
            opened = scanner.lists[-1]
            self._result.pages += _is_page(opened.path, opened.opening)

    # values

    def _value(self, start: int, end: int, path: str) -> None:
        """A valid value where a run, a page or an array of them may be."""
        first = self._data[start : start + 1]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.reject(start, end, reasons.TOO_DEEP, path)
        elif first == b"{":
            self._object(start, end, path)
        elif first == b"[":
            self._array(start, end, path)
        elif first == b'"' and self._json_text(start, end, path, keeps_skipped=True):
            pass
        else:
            self.reject(start, end, reasons.not_json(self._data[start:end]), path)
        self._depth -= 1

    def _array(self, start: int, end: int, path: str) -> None:
        found = list(elements(self._data, start, end))
        if name := self._tuple_event(found):
            self._ledger.claim(start, found[1][0])
            self._item(Item(self._data[slice(*found[1])], 0, name), found[1][0], path + "[1]")
            self._ledger.claim(found[1][0], end)
            return
        for index, (begin, stop) in enumerate(found):
            self._value(begin, stop, f"{path}[{index}]")

    def _tuple_event(self, found: Sequence[tuple[int, int]]) -> str:
        """The name of the event that an array is, such as `["thread.run.created", {…}, null]`; else empty."""
        if len(found) not in {2, 3} or self._data[found[1][0] : found[1][0] + 1] != b"{":
            return ""
        first = self._data[slice(*found[0])]
        return _text(first) if first[:1] == b'"' else ""

    def _object(self, start: int, end: int, path: str) -> None:
        text = self._data[start:end]
        line = self._lines.line(start)
        page = list_of_page(text, 0)
        if page is not None:
            self._page(start, start + page.start, end, f"{path}.{page.name}")
            return
        try:
            text.decode()
            if self._is_event_with_record(start, end, path):
                return
            kind = self._classifier.kind(text, self._event.spec)
            if isinstance(kind, RecordSpec):
                self._record(kind, text)
                self._ledger.claim(start, end)
            else:
                self._other(start, end, path, kind)
        except UnfitError as error:
            self.reject(start, end, error.reason, path + error.json_path.removeprefix("$"), line)
        except UnicodeDecodeError as error:
            self.reject(start, end, f"not UTF-8 at byte {error.start}: {error.reason}", path, line)
        except msgspec.DecodeError as error:
            self.reject(start, end, reasons.explain(str(error), text), path, line)
        except RecursionError:
            self.reject(start, end, reasons.TOO_DEEP, path, line)

    def _is_event_with_record(self, start: int, end: int, path: str) -> bool:
        """Take the record in a member of an event's data; False when it is in none."""
        event = self._event
        if event.member is None or event.member not in object_members(self._data[start:end]):
            return False
        self._event = replace(event, member=None)
        for member in self._members(start, end):
            if member.name == event.member:
                self._value(member.start, member.end, f"{path}.{member.name}")
            self._ledger.claim(member.start, member.end)
        self._event = event
        return True

    def _record(self, kind: RecordSpec, text: bytes) -> None:
        position = self._result.items
        record, extra = self._decoder.builders[kind.object].check(text)
        self._result.records.append(LenientRecord(kind, position, record, extra))

    def _page(self, start: int, list_start: int, end: int, path: str) -> None:
        """A page: its elements, then its frame."""
        line = self._lines.line(start)
        list_end = value_end(self._data, list_start - 1)
        self._result.pages += 1
        self._ledger.claim(start, list_start)
        for index, (begin, stop) in enumerate(elements(self._data, list_start - 1, list_end)):
            self._value(begin, stop, f"{path}[{index}]")
        self._ledger.claim(list_end - 1, end)
        self.frame(OpenList(path, self._data[start:list_start], line), self._data[list_end - 1 : end], None)

    def frame(self, opened: OpenList, closing: bytes, problem: str | None) -> None:
        """The frame of a list, without its elements; the caller accounts for its bytes."""
        text = opened.opening + closing
        path = opened.path.rpartition(".")[0] if opened.is_page else opened.path
        if problem is None and opened.is_page and closing:
            try:
                problem = self._problem_of_frame(text, path, opened.line)
            except UnicodeDecodeError as error:
                problem = f"not UTF-8 at byte {error.start}: {error.reason}"
            except (msgspec.DecodeError, RecursionError, UnfitError) as error:
                problem = error.reason if isinstance(error, UnfitError) else reasons.problem(text)
        if problem is not None:
            self._reject_text(text, problem, path, opened.line)

    def _problem_of_frame(self, text: bytes, path: str, line: int) -> str | None:
        """What is wrong with the frame of a page; runs in it, beside the list, are taken."""
        text.decode()
        names = object_members(text)
        if names.keys() & {"id", "status"} and isinstance(self._classifier.kind_of_members(names), RecordSpec):
            return "a run that is a page, too, with a list `data` before its id and status"
        rest = {name: value for name, value in names.items() if bytes(value)[:1] in {b"{", b"["}}
        if any(self._holds_run(bytes(value), reads_texts=False) for value in rest.values()):
            _Text(self._decoder, text, line, path, level=self._level).wrapping()
        return None

    # objects that are no records

    def _other(self, start: int, end: int, path: str, kind: str) -> None:
        """A step, an event, or an object that is skipped; runs in it are taken."""
        text = self._data[start:end]
        names = object_members(text)
        event = names.get("event", names.get("type"))
        if kind == UNKNOWN and event is not None and "data" in names and bytes(event)[:1] == b'"':
            self._event_object(start, end, path, _text(bytes(event)))
            return
        is_step = kind == STEP_OBJECT and not self._event.name
        if is_step:
            self._result.steps.append(step(text, self._decoder.origin, self._result.items))
        reads_texts = kind == UNKNOWN and not self._event.name
        holds_runs = any(self._holds_run(bytes(value), reads_texts=reads_texts) for value in names.values())
        if not is_step and not (holds_runs and kind == UNKNOWN):
            self.skip(self._event.name or kind)
        if holds_runs:
            self._wrapping(start, end, path, reads_texts=reads_texts)
        else:
            self._ledger.claim(start, end)

    def _event_object(self, start: int, end: int, path: str, name: str) -> None:
        """An object such as `{"event": "thread.run.created", "data": {…}}`."""
        for member in self._members(start, end):
            if member.name == "data":
                data = self._data[member.start : member.end]
                if data[:1] == b'"':
                    data = _text(data).encode(errors="replace")
                item = Item(b"" if data == b"null" else data, 0, name)
                self._item(item, member.start, f"{path}.data")
            self._ledger.claim(member.start, member.end)

    def _members(self, start: int, end: int) -> Iterator[Member]:
        """The members of a valid object; all but their values is accounted for."""
        at = start
        for member in members(self._data, start):
            self._ledger.claim(at, member.start)
            yield member
            at = member.end
        self._ledger.claim(at, end)

    def wrapping(self) -> None:
        """Take the runs in the text, which is a valid object."""
        self._wrapping(0, len(self._data), self._path, reads_texts=False)

    def _wrapping(self, start: int, end: int, path: str, *, reads_texts: bool) -> None:
        """Take the runs in the members of an object, at any depth; the rest of it is counted already."""
        for member in self._members(start, end):
            self._inner(member.start, member.end, f"{path}.{member.name}", reads_texts=reads_texts)

    def _inner(self, start: int, end: int, path: str, *, reads_texts: bool) -> None:
        """A value within an object that is no record: take the runs in it."""
        text = self._data[start:end]
        if not self._holds_run(text, reads_texts=reads_texts):
            self._ledger.claim(start, end)
        elif text[:1] == b'"':
            self._json_text(start, end, path, keeps_skipped=False)
            self._ledger.claim(start, end)
        elif text[:1] == b"[":
            self._inner_list(start, end, path, reads_texts=reads_texts)
        elif self._classifier.is_whole(_MEMBERS.decode(text)):
            self._object(start, end, path)
        else:
            self._wrapping(start, end, path, reads_texts=reads_texts)

    def _inner_list(self, start: int, end: int, path: str, *, reads_texts: bool) -> None:
        """A list with runs in it: where elements are runs, each object in it should be one, or say what it is."""
        found = list(elements(self._data, start, end))
        objects = [bounds for bounds in found if self._data[bounds[0] : bounds[0] + 1] == b"{"]
        is_list_of_runs = any(
            self._classifier.is_whole(_MEMBERS.decode(self._data[begin:stop])) for begin, stop in objects
        )
        for index, (begin, stop) in enumerate(found):
            if is_list_of_runs and self._data[begin : begin + 1] == b"{":
                self._object(begin, stop, f"{path}[{index}]")
            else:
                self._inner(begin, stop, f"{path}[{index}]", reads_texts=reads_texts)

    def _holds_run(self, raw: bytes, *, reads_texts: bool, depth: int = 0) -> bool:
        """Whether there is a run in a value, at any depth.

        Raises:
            UnfitError: It is nested too deep.
        """
        first = raw[:1]
        if first not in {b"{", b"[", b'"'} or not MAY_HOLD_RUN.search(raw):
            return False
        if depth > MAX_DEPTH:
            raise UnfitError(reasons.TOO_DEEP)
        if first == b'"':
            return reads_texts and self._text_holds_run(raw)
        if first == b"[":
            inner = _LIST.decode(raw)
        else:
            names = _MEMBERS.decode(raw)
            if self._classifier.is_whole(names):
                return True
            inner = names.values()
        return any(self._holds_run(bytes(one), reads_texts=reads_texts, depth=depth + 1) for one in inner)

    # texts that hold JSON

    def _text_holds_run(self, raw: bytes) -> bool:
        """Whether there is a run in the JSON in a text, such as the body of a response."""
        inner = _text(raw).encode(errors="replace")
        if b"{" not in inner or self._level >= MAX_TEXTS:
            return False
        found = LenientResult()
        _Text(self._decoder.within(found), inner, 1, "$", level=self._level + 1).read(
            PieceScanner(self._decoder.formats)
        )
        return bool(found.records)

    def _json_text(self, start: int, end: int, path: str, *, keeps_skipped: bool) -> bool:
        """Take what is in the JSON in a text; False where there is none.

        Args:
            start: Where the text begins.
            end: Where it ends.
            path: Its JSON path.
            keeps_skipped: Whether it may hold nothing but objects that are skipped.
        """
        inner = _text(self._data[start:end]).encode(errors="replace")
        found = LenientResult()
        if self._level < MAX_TEXTS and inner.lstrip()[:1] in {b"{", b"[", b'"'} | (
            set() if keeps_skipped else {inner.lstrip()[:1]}
        ):
            decoder = self._decoder.within(found)
            line = self._lines.line(start)
            _Text(decoder, inner, line, path, self._event, self._level + 1).read(PieceScanner(self._decoder.formats))
        if not (found.records or found.steps or (keeps_skipped and found.skipped)):
            return False
        self._ledger.claim(start, end)
        self._result.add(found)
        return True

    def formatted(self, start: int, end: int, path: str, name: str) -> None:
        """A text of the format of a name; what its items do not hold is framing."""
        text = self._data[start:end]
        items = [Item(*one) for one in format_named(name, self._decoder.formats).items(text)]
        if not items:
            begin = start + len(text) - len(text.lstrip())
            self.reject(begin, start + len(text.rstrip()), reasons.not_json(text.strip()), path)
            return
        self._ledger.claim(start, end)
        for item in items:
            if item.skipped:
                self.skip(item.skipped)
            else:
                self._item(item, start, path)

    def _item(self, item: Item, at: int, path: str) -> None:
        """The data of an event, or a value in a line of a log."""
        line = self._lines.line(at) + item.line
        data, spec = item.data.strip(), self._classifier.spec_of_event(item.event)
        if data == _DONE:
            self.skip(item.event or "done")
        elif not data and spec is not None:
            self._reject_text(b"event: " + item.event.encode(), reasons.NO_DATA, path, line)
        elif item.event and spec is None and not _may_hold_run(data):
            self.skip(item.event)
        elif self._level >= MAX_TEXTS or (self._level and not item.event and data == self._data.strip()):
            self._reject_text(data, reasons.not_json(data), path, line)
        else:
            event = _Event(item.event, spec, spec.event_member if spec else None)
            _Text(self._decoder, data, line, path, event, self._level + 1).read(PieceScanner(self._decoder.formats))

    # results

    def reject(self, start: int, end: int, reason: str, path: str | None = None, line: int | None = None) -> None:
        """Reject a part of the text, whole."""
        text = self._data[start:end]
        self._ledger.claim(start, end)
        self._reject_text(text, reason, self._path if path is None else path, line or self._lines.line(start))

    def _reject_text(self, text: bytes, reason: str, path: str, line: int) -> None:
        self._result.reject(Reject(self._decoder.origin, self._result.items, line, reason, path, text))

    def skip(self, kind: str) -> None:
        """Count an object of a kind that is not stored."""
        self._result.skipped[kind] += 1


def _may_hold_run(data: bytes) -> bool:
    return b"{" in data and MAY_HOLD_RUN.search(data) is not None


def _text(raw: bytes) -> str:
    """The text that some JSON is; empty when it is not UTF-8."""
    try:
        return _TEXT.decode(raw)
    except UnicodeDecodeError:
        return ""
