"""Lenient decoder: decodes a block piece by piece, so that a bad piece is rejected alone."""

from collections.abc import Mapping, Sequence

from runmart.ingest.decode.context import Context
from runmart.ingest.decode.error_events import settle
from runmart.ingest.decode.observations import ObservationBuilder
from runmart.ingest.decode.result import LenientResult
from runmart.ingest.decode.text_reader import TextReader, is_page
from runmart.ingest.parse import reasons
from runmart.ingest.parse.blocks import Block
from runmart.ingest.parse.classify import Classifier
from runmart.ingest.parse.formats import FORMATS, Format
from runmart.ingest.parse.pieces import OpenList, PieceScanner
from runmart.models.observations import Origin


class LenientDecoder:
    """Decodes blocks, one by one."""

    def __init__(
        self,
        classifier: Classifier,
        builders: Mapping[str, ObservationBuilder],
        formats: Sequence[Format] = FORMATS,
    ) -> None:
        """`builders` are those of each kind of record, by its `object`."""
        self._classifier = classifier
        self._builders = builders
        self._formats = formats

    def decode(self, block: Block, origin: Origin) -> LenientResult:
        """The contents of a block, in order."""
        context = Context(self._classifier, self._builders, origin, self._formats)
        result = LenientResult()
        has_path = block.content not in {"documents", "elements"}
        path = block.path if has_path else "$"
        text = TextReader(context, result, block.data, line=block.line, path=path, outer_lists=block.outer_lists)
        if block.content == "documents":
            text.read(PieceScanner(self._formats, damaged=block.damaged))
        elif block.content == "elements":
            lists = [OpenList(block.path, b"[", index=block.index)]
            text.read_elements(PieceScanner(self._formats, lists, block.damaged))
        elif block.content == "opening":
            result.pages += is_page(block.path, block.data[block.start :])
        elif block.content == "closing":
            frame = OpenList(block.path, block.opening, block.opening_line)
            text.frame(frame, block.data[block.start :], block.problem)
        elif block.content == "text":
            text.formatted(block.start, len(block.data), "$", block.format)
        else:
            text.reject(block.start, len(block.data), block.problem or reasons.UNEXPLAINED)
        settle(result)
        return result
