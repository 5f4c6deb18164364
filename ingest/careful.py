"""The careful way to decode: a text is taken apart, and each run in it stands or falls alone."""

import msgspec

from runmart.ingest import kinds, scan
from runmart.ingest.blocks import Block
from runmart.ingest.decoded import Decoded
from runmart.ingest.members import UnfitError, object_members
from runmart.ingest.observe import Observer
from runmart.ingest.scan import Piece
from runmart.models.observations import Origin, Reject


class Careful:
    """Decodes one block run by run."""

    def __init__(self, observer: Observer, block: Block, origin: Origin, position: int) -> None:
        self._observer = observer
        self._block = block
        self._origin = origin
        self._position = position
        self._result = Decoded()

    def decode(self) -> Decoded:
        """Everything the block holds, in order."""
        if self._block.holds_elements:
            self._elements(0, self._block.path, self._block.index)
        else:
            for piece in scan.documents(self._block.data):
                self._document(piece, "$")
        return self._result

    def _document(self, piece: Piece, path: str) -> None:
        """A page, an array or a run."""
        data = self._block.data
        opening = data[piece.start : piece.start + 1]
        if opening == b"[":
            self._elements(piece.start, path, 0)
        elif opening == b"{" and (runs := self._page(piece)) is not None:
            self._result.pages += 1
            self._elements(runs, f"{path}.data", 0)
        else:
            self._item(piece, path)

    def _page(self, piece: Piece) -> int | None:
        """Where the runs of a page begin; None when the object is no page, or has a key twice."""
        data = self._block.data
        if piece.problem is None:
            text = data[piece.start : piece.end]
            if not kinds.is_page(kinds.PEEK.decode(text)):
                return None
            try:
                object_members(text)
            except UnfitError:
                return None
        names: set[str] = set()
        try:
            for name, start, _ in scan.members(data, piece.start):
                names.add(name)
                if name == "data" and data[start : start + 1] == b"[" and "status" not in names:
                    return start
        except msgspec.DecodeError:
            pass
        return None

    def _elements(self, start: int, path: str, index: int) -> None:
        for number, piece in enumerate(scan.elements(self._block.data, start), index):
            where = f"{path}[{number}]"
            if piece.problem is None and self._block.data[piece.start : piece.start + 1] == b"{":
                self._document(piece, where)  # an array of pages
            else:
                self._item(piece, where)

    def _item(self, piece: Piece, path: str) -> None:
        """Something that is a run, or is not."""
        text = self._block.data[piece.start : piece.end].strip()
        line = self._block.line + self._block.data.count(b"\n", 0, piece.start)
        if piece.problem is not None:
            self.reject(text, piece.problem, path, line)
        else:
            self.item(text, path, line)

    def item(self, text: bytes, path: str, line: int) -> None:
        """Take one JSON value: a run, another object, or neither."""
        try:
            peek = kinds.PEEK.decode(text)
        except UnicodeDecodeError as error:
            self.reject(text, f"not UTF-8: {error.reason}", path, line)
            return
        except msgspec.DecodeError as error:
            self.reject(text, _expected(text, str(error)), path, line)
            return
        kind = kinds.other_kind(peek)
        if kind is not None:
            self._result.skipped[kind] += 1
            return
        place = self._position + self._result.items
        try:
            self._result.observations.append(self._observer.observe_one(text, self._origin, place))
        except UnfitError as error:
            self.reject(text, error.reason, path + error.json_path.removeprefix("$"), line)

    def reject(self, text: bytes, reason: str, path: str, line: int) -> None:
        """Set aside what cannot be a run."""
        place = self._position + self._result.items
        self._result.rejects.append(Reject(self._origin, place, line, reason, path, text))

    def skip(self, kind: str) -> None:
        """Count something that is no run."""
        self._result.skipped[kind] += 1

    @property
    def result(self) -> Decoded:
        """What was found so far."""
        return self._result


def _expected(text: bytes, problem: str) -> str:
    if text[:1] == b"{":
        return scan.explain(problem)
    return f"expected a run or a page, that is a JSON object, got `{text[:40].decode(errors='replace')}`"
