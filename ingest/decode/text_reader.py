"""Text reader: decodes one text, a block or a text within one, and accounts for each byte of it."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from runmart.ingest.decode import envelopes
from runmart.ingest.decode.context import NO_EVENT, Context, Event
from runmart.ingest.decode.neighbour_reader import ERROR, NeighbourReader
from runmart.ingest.decode.result import LenientRecord, LenientResult
from runmart.ingest.decode.steps import step
from runmart.ingest.decode.wrappings import RunFinder, is_data, spoilt_list, where_mentioned
from runmart.ingest.parse import reasons
from runmart.ingest.parse.classify import MAY_HOLD_RUN, UNKNOWN, may_hold_texts
from runmart.ingest.parse.formats import Item, format_named
from runmart.ingest.parse.json_object import Members, UnfitError, object_members
from runmart.ingest.parse.json_scanner import SPACE, elements, is_whole, list_of_page, skip_separator, value_end
from runmart.ingest.parse.pieces import OpenList, Piece, PieceScanner
from runmart.models.depth import MAX_DEPTH
from runmart.models.record_spec import RecordSpec
from runmart.models.statuses import STEP_OBJECT
from runmart.models.wrappings import text_of

MAX_TEXTS = 4
"""Levels of texts within texts that are read."""

_DONE = b"[DONE]"


class TextReader(NeighbourReader):
    """Decodes one text, and adds what it holds to a result."""

    def __init__(
        self,
        context: Context,
        result: LenientResult,
        data: bytes,
        *,
        line: int,
        path: str,
        event: Event = NO_EVENT,
        level: int = 0,
        outer_lists: int = 0,
    ) -> None:
        """Nothing is decoded yet; there are `level` texts around this one.

        And `outer_lists` lists around those that the scanner knows.
        """
        super().__init__(context, result, data, line, path)
        self._event = event
        self._level = level
        self._outer_lists = outer_lists
        self._depth = 0
        self._finder = RunFinder(context, level, self._text_holds_run)

    def read(self, scanner: PieceScanner | None = None) -> None:
        """Decode all pieces of the text."""
        scanner, at = scanner or PieceScanner(self._context.formats), 0
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

    def _piece(self, scanner: PieceScanner, piece: Piece) -> None:
        path, line = self._path + scanner.path[1:], self._lines.line(piece.start)
        self._depth = self._outer_lists + len(scanner.lists)
        if piece.role == "value":
            self._value(piece.start, piece.end, path)
        elif piece.role == "damaged":
            self.reject(piece.start, piece.end, piece.problem or reasons.UNEXPLAINED, path)
        elif piece.role == "text":
            self.formatted(piece.start, piece.end, path, piece.name)
        else:
            self._ledger.claim(piece.start, piece.end)
        if piece.role == "closing":
            self.frame(scanner.lists[-1], self._data[piece.start : piece.end], piece.problem)
        scanner.advance(self._data, piece, line)
        if piece.role == "opening":
            self._result.pages += is_page(scanner.lists[-1].path, scanner.lists[-1].opening)

    # values where a run may be

    def _value(self, start: int, end: int, path: str) -> None:
        """A valid value where a run, a page, or an array of them is expected."""
        first = self._data[start : start + 1]
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                self.reject(start, end, reasons.TOO_DEEP, path)
            elif first == b"{":
                self._object(start, end, path)
            elif first == b"[":
                self._array(start, end, path)
            elif first != b'"' or not self._text_in_quotes(start, end, path):
                self.reject(start, end, reasons.not_json(self._data[start:end]), path)
        except RecursionError:  # texts within texts, each of many levels
            self.reject(start, end, reasons.TOO_DEEP, path)
        self._depth -= 1

    def _array(self, start: int, end: int, path: str) -> None:
        found = list(elements(self._data, start, end))
        name = self._name_of_event(found)
        if name:
            begin, stop = found[1]
            self._ledger.claim(start, end)
            self._item(Item(self._data[begin:stop], 0, name), self._lines.line(begin), f"{path}[1]")
            return
        for index, (begin, stop) in enumerate(found):
            self._value(begin, stop, f"{path}[{index}]")

    def _name_of_event(self, found: Sequence[tuple[int, int]]) -> str:
        """The name of the event that an array is, such as `["thread.run.created", {…}, null]`; empty for others."""
        if len(found) not in {2, 3} or self._data[found[1][0] : found[1][0] + 1] != b"{":
            return ""
        first = self._data[slice(*found[0])]
        rest = self._data[slice(*found[2])] if found[2:] else b"null"
        return text_of(first) or "" if rest == b"null" else ""

    def _object(self, start: int, end: int, path: str) -> None:
        text, line = self._data[start:end], self._lines.line(start)
        page = list_of_page(text, 0)
        if page is not None:
            self._page(start, start + page.start, end, f"{path}.{page.name}")
            return
        try:
            text.decode()
            if self._is_around_record(start, end, path):
                return
            kind = self._context.classifier.kind(text, self._event.spec)
            if isinstance(kind, RecordSpec):
                self._record(kind, text)
                self._ledger.claim(start, end)
            else:
                self._other(start, end, path, kind)
        except UnfitError as error:
            self.reject(start, end, error.reason, path + error.json_path.removeprefix("$"), line)
        except UnicodeDecodeError as error:
            self.reject(start, end, reasons.not_utf8(error), path, line)
        except msgspec.DecodeError as error:
            self.reject(start, end, reasons.explain(str(error), text), path, line)
        except RecursionError:
            self.reject(start, end, reasons.TOO_DEEP, path, line)

    def _record(self, kind: RecordSpec, text: bytes) -> None:
        position, self._result.shows_record = self._result.items, True
        record, extra = self._context.builders[kind.object].check(text)
        self._result.records.append(LenientRecord(kind, position, record, extra))

    def _is_around_record(self, start: int, end: int, path: str) -> bool:
        """Take the record in a member of an event's data; False when these are not around a record."""
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

    def _page(self, start: int, list_start: int, end: int, path: str) -> None:
        """A page: its elements, then its frame."""
        line, list_end = self._lines.line(start), value_end(self._data, list_start - 1)
        self._result.pages += 1
        self._ledger.claim(start, list_start)
        for index, (begin, stop) in enumerate(elements(self._data, list_start - 1, list_end)):
            self._value(begin, stop, f"{path}[{index}]")
        self._result.close()
        self._ledger.claim(list_end - 1, end)
        self.frame(OpenList(path, self._data[start:list_start], line), self._data[list_end - 1 : end], None)

    def frame(self, opened: OpenList, closing: bytes, problem: str | None) -> None:
        """The frame of a list, without its elements; the caller accounts for its bytes."""
        text = opened.opening + closing
        path = opened.path.rpartition(".")[0] if opened.is_page else opened.path
        if problem is None and opened.is_page:
            closed = text if closing else text + b"]}"
            try:
                text.decode()
                problem = self._problem_of_frame(closed, path, opened.line)
            except UnfitError as error:
                problem = error.reason
            except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
                problem = reasons.problem(text)
        if problem is not None:
            self._reject_text(text, problem, path, opened.line)

    def _problem_of_frame(self, text: bytes, path: str, line: int) -> str | None:
        """What is wrong with the frame of a page; runs in it, beside its list, are taken."""
        found = object_members(text)
        kind = self._context.classifier.kind_of_members(found)
        if found.keys() & {"id", "status"} and isinstance(kind, RecordSpec):
            return "a run that is a page, too, with a list `data` before its id and status"
        reads_texts = isinstance(kind, str) and may_hold_texts(kind)
        if any(self._finder.holds_run(bytes(value), reads_texts=reads_texts) for value in found.values()):
            self._within(text, line, path, level=self._level).take_runs(reads_texts=reads_texts)
            return None
        return where_mentioned(text, path) if reads_texts else None

    # objects that are no records

    def _other(self, start: int, end: int, path: str, kind: str) -> None:
        """A step, an event, or an object that is skipped; runs in it are taken."""
        text = self._data[start:end]
        found, event = object_members(text), self._event
        name = bytes(found.get("event", found.get("type", b"")))
        if kind == UNKNOWN and "data" in found and name[:1] == b'"':
            self._event_object(start, end, path, text_of(name) or "", found)
            return
        reads_texts = may_hold_texts(kind) and (event.spec is not None or may_hold_texts(event.name))
        holds_run = any(
            self._finder.holds_run(bytes(one), reads_texts=reads_texts or is_data(member))
            for member, one in found.items()
        )
        if not holds_run and self._take_neighbour(start, end, path, kind, found, event=event):
            return
        if not holds_run and (reads_texts or kind == UNKNOWN):
            self._check_speaks_of_none(text, path, reads_texts=reads_texts)
            if reason := spoilt_list(found, is_page=kind in {"list", "page"}):
                raise UnfitError(reason)
        if kind == STEP_OBJECT and not event.name:
            self._result.steps.append(step(text, self._context.origin, self._result.items))
        elif not (holds_run and (kind == UNKNOWN or self._context.classifier.spec_of_event(kind))):
            self._result.skip(event.name or kind)
        if holds_run:
            self._wrapping(start, end, path, reads_texts=reads_texts, reads_data=True)
        else:
            self._ledger.claim(start, end)

    def _check_speaks_of_none(self, text: bytes, path: str, *, reads_texts: bool) -> None:
        """Check that an object of no known kind does not speak of a run that cannot be read.

        Raises:
            UnfitError: It does.
        """
        if self._event.spec is not None:
            raise UnfitError("an event of a run without a run in it")
        if reads_texts and (reason := where_mentioned(text, path)):
            raise UnfitError(reason)

    def _event_object(self, start: int, end: int, path: str, name: str, found: Members) -> None:
        """An object such as `{"event": "thread.run.created", "data": {…}}`, or one that refers to a record."""
        spec = self._context.classifier.spec_of_event(name)
        if spec and spec.event_member and not self._finder.holds_run(self._data[start:end], reads_texts=True):
            self._reference(start, end, found)
            return
        for member in self._members(start, end):
            if member.name == "data":
                data = self._data[member.start : member.end]
                data = _inner_text(data) if data[:1] == b'"' else data
                item = Item(b"" if data == b"null" else data, 0, name)
                self._item(item, self._lines.line(member.start), f"{path}.data")
                self._ledger.claim(member.start, member.end)
            else:
                self._inner(member.start, member.end, f"{path}.{member.name}", reads_texts=True)

    def take_runs(self, *, reads_texts: bool) -> None:
        """Take the runs in the text, an object that is counted already."""
        self._wrapping(0, len(self._data), self._path, reads_texts=reads_texts)

    def _wrapping(self, start: int, end: int, path: str, *, reads_texts: bool, reads_data: bool = False) -> None:
        """Take the runs in the members of an object, at any depth; the object itself is counted already."""
        first = len(self._result.records)
        for member in self._members(start, end):
            reads = reads_texts or (reads_data and is_data(member.name))
            self._inner(member.start, member.end, f"{path}.{member.name}", reads_texts=reads)
        envelopes.put_around(self._result, first, self._data[start:end])

    def _inner(self, start: int, end: int, path: str, *, reads_texts: bool) -> None:
        """A value within an object that is no record: take the runs in it."""
        text = self._data[start:end]
        if not self._finder.holds_run(text, reads_texts=reads_texts):
            if reads_texts and (reason := where_mentioned(text, path)):
                self.reject(start, end, reason, path)
            self._ledger.claim(start, end)
        elif text[:1] == b'"':
            self._ledger.claim(start, end)
            self._within(_inner_text(text), self._lines.line(start), path).read()
        elif text[:1] == b"[":
            self._inner_list(start, end, path, reads_texts=reads_texts)
        elif self._finder.is_run(text):
            self._object(start, end, path)
        else:
            self._wrapping(start, end, path, reads_texts=reads_texts)

    def _inner_list(self, start: int, end: int, path: str, *, reads_texts: bool) -> None:
        """A list with runs in it: where elements are runs, each object in it is to be one, or to say what it is."""
        found = list(elements(self._data, start, end))
        is_object = [self._data[begin : begin + 1] == b"{" for begin, _ in found]
        has_runs = any(
            one and self._finder.is_run(self._data[begin:stop])
            for one, (begin, stop) in zip(is_object, found, strict=True)
        )
        for index, (begin, stop) in enumerate(found):
            if has_runs and is_object[index]:
                self._object(begin, stop, f"{path}[{index}]")
            else:
                self._inner(begin, stop, f"{path}[{index}]", reads_texts=reads_texts)
        self._result.close()

    # texts within the text

    def _within(
        self, data: bytes, line: int, path: str, event: Event = NO_EVENT, *, level: int | None = None
    ) -> "TextReader":
        """A reader of a text within this one."""
        level = self._level + 1 if level is None else level
        return TextReader(self._context, self._result, data, line=line, path=path, event=event, level=level)

    def _text_holds_run(self, raw: bytes) -> bool:
        """Whether there is a run in the JSON in a text, such as the body of a response."""
        inner = _inner_text(raw)
        if b"{" not in inner or self._level >= MAX_TEXTS:
            return False
        found = self._trial(inner)
        return found.shows_record or bool(found.steps)

    def _trial(self, data: bytes, line: int = 1, path: str = "$", event: Event = NO_EVENT) -> LenientResult:
        """What a text within this one holds, which is not added to the result."""
        found = LenientResult()
        context, level = self._context, self._level + 1
        TextReader(context, found, data, line=line, path=path, event=event, level=level).read()
        return found

    def _text_in_quotes(self, start: int, end: int, path: str) -> bool:
        """Take what is in the JSON in a text, where a value is expected; False where there is none."""
        inner = _inner_text(self._data[start:end])
        if self._level >= MAX_TEXTS or inner.lstrip(SPACE)[:1] not in {b"{", b"[", b'"'}:
            return False
        found = self._trial(inner, self._lines.line(start), path, self._event)
        if not found.holds_data:
            return False
        self._ledger.claim(start, end)
        self._result.add(found)
        return True

    def formatted(self, start: int, end: int, path: str, name: str) -> None:
        """A text of the format of a name; what its items do not hold is framing."""
        text, line = self._data[start:end], self._lines.line(start)
        items = [Item(*one) for one in format_named(name, self._context.formats).items(text)]
        outer, self._result = self._result, LenientResult()
        for item in items:
            self._item(item, line + item.line, path)
        found, self._result = self._result, outer
        self._result.shows_record |= found.shows_record
        if not items or (len(items) > 1 and found.rejected and not found.holds_values):
            begin = start + len(text) - len(text.lstrip(SPACE))
            self.reject(begin, start + len(text.rstrip(SPACE)), reasons.not_json(text.strip(SPACE)), path, line)
            return
        self._ledger.claim(start, end)
        self._result.add(found)

    def _item(self, item: Item, line: int, path: str) -> None:
        """The data of an event, a value in a line of a log, or what stands between such."""
        data, spec = item.data.strip(SPACE), self._context.classifier.spec_of_event(item.event)
        if item.skipped or data == _DONE:
            self._result.skip(item.skipped or item.event or "done")
        elif item.event == ERROR and data[:1] == b"{" and self._level < MAX_TEXTS and is_whole(data):
            self._within(data, line, path, Event(ERROR)).read()
        elif not data and spec is not None:
            self._reject_text(b"event: " + item.event.encode(), reasons.NO_DATA, path, line)
        elif item.event and spec is None and is_whole(data) and not (b"{" in data and MAY_HOLD_RUN.search(data)):
            self._result.skip(item.event)
        elif self._level >= MAX_TEXTS or (self._level and not item.event and data == self._data.strip(SPACE)):
            self._reject_text(data, reasons.not_json(data), path, line)
        else:
            self._within(data, line, path, Event(item.event, spec, spec.event_member if spec else None)).read()


def is_page(path: str, opening: bytes) -> bool:
    """Whether a list that begins so is that of a page; `path` is its JSON path."""
    return path.endswith(".data") and opening[:1] == b"{"


def _inner_text(raw: bytes) -> bytes:
    """The text within some JSON, empty where that is none; half an emoji in it is replaced."""
    return (text_of(raw) or "").encode(errors="replace")
