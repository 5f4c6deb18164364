"""Decoder: blocks in, observations out. No I/O, no clock, no database.

A block is decoded by one call of msgspec where that is possible, and many such blocks become observations together, a
column at a time. A block with a bad record, a quirk or damage is decoded record by record: see `lenient`. Both ways
give the same observations.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from runmart.ingest.decode.envelopes import put_lines
from runmart.ingest.decode.lenient import LenientDecoder
from runmart.ingest.decode.observations import ObservationBuilder
from runmart.ingest.decode.result import BlockCounts, Decoded, LenientResult
from runmart.ingest.decode.whole import WholeBlock, WholeDecoder, is_utf8
from runmart.ingest.parse.blocks import Block
from runmart.ingest.parse.classify import Classifier
from runmart.ingest.parse.formats import FORMATS, Format
from runmart.ingest.parse.json_object import UnfitError
from runmart.ingest.parse.repeated_keys import columns_may_repeat_key
from runmart.models.observations import Observations, Origin, Reject
from runmart.models.record_spec import RecordSpec
from runmart.models.record_specs import SPECS
from runmart.models.tables.neighbours import NeighbourRow
from runmart.models.tables.steps import StepRow

if TYPE_CHECKING:
    from msgspec import Struct

Blocks = Sequence[tuple[Block, Origin]]
"""Blocks, each with the origin of what it holds."""

Placed = TypeVar("Placed", Reject, StepRow, NeighbourRow)


class ParsedBlock(NamedTuple):
    """A block whose records are known, one by one."""

    block: Block
    origin: Origin
    whole: WholeBlock | None
    """What one call has decoded."""
    parts: LenientResult | None
    """What it holds record by record, where that was not possible."""


class _Group:
    """Blocks that were decoded whole, into records of one type."""

    def __init__(self, first: WholeBlock, builder: ObservationBuilder) -> None:
        self.types = first.types
        self.record = first.record
        self.columns = builder.columns(first.record)
        self.builder = builder
        self.blocks: list[tuple[int, int]] = []
        """Of each block: which it is, from 0, and the number of its records."""
        self.pages = 0
        self.frames: list[Struct] = []
        """The pages, or lines of a batch's output, that the records were in, without them."""
        self.lines: list[Any] = []
        """The lines among them (shape: as the records)."""

    def add(self, number: int, block: WholeBlock) -> None:
        """Add a block."""
        self.columns.add(block.records)
        self.blocks.append((number, len(block.records)))
        self.pages += block.page is not None
        self.frames += block.lines if block.page is None else [block.page]
        self.lines += block.lines


class Decoder:
    """Decodes the blocks of any number of inputs.

    It remembers unknown fields and tool lists, to be faster; its results never depend on that.
    """

    def __init__(self, specs: Sequence[RecordSpec] = SPECS, formats: Sequence[Format] = FORMATS) -> None:
        self._classifier = Classifier(specs)
        self._builders = {spec.object: ObservationBuilder(spec) for spec in specs}
        self._lenient = LenientDecoder(self._classifier, self._builders, formats)
        self._whole_decoders = [WholeDecoder(spec, self._classifier) for spec in specs if spec.read is None]

    def decode(self, blocks: Blocks) -> Decoded:
        """The observations of `blocks`; their positions are those in the block."""
        return self.observe(self.parse(block, origin) for block, origin in blocks)

    def parse(self, block: Block, origin: Origin) -> ParsedBlock:
        """The records of a block, for `observe`; a few of them may turn out to be rejects there."""
        whole = self._whole(block)
        return ParsedBlock(block, origin, whole, None if whole else self._lenient.decode(block, origin))

    def observe(self, parsed: Iterable[ParsedBlock]) -> Decoded:
        """The observations of parsed blocks, which another decoder may have parsed; each is used once."""
        blocks: list[tuple[Block, Origin]] = []
        lenient: dict[int, LenientResult] = {}
        groups: list[_Group] = []
        for number, one in enumerate(parsed):
            blocks.append((one.block, one.origin))
            if one.whole is not None:
                self._group(groups, number, one.whole)
            elif one.parts is not None:
                lenient[number] = one.parts
        result = Decoded(rejects=[[] for _ in blocks], counts=[BlockCounts(0, 0, 0)] * len(blocks))
        rest = set(range(len(blocks)))
        for group in groups:
            for observations, part in self._observe(group, blocks):
                result.observations += [observations] if len(observations) else []
                result.pages += part.pages
                for number, count in part.blocks:
                    result.counts[number] = BlockCounts(count, 0, count)
                    rest.remove(number)
        for number in rest - lenient.keys():
            lenient[number] = self._lenient.decode(*blocks[number])
        self._add_lenient([(number, blocks[number][1], lenient[number]) for number in sorted(rest)], result)
        return result

    def _group(self, groups: list[_Group], number: int, whole: WholeBlock) -> None:
        """Add a block to the last group, or to a new one where its records are of another type."""
        if not groups or groups[-1].record is not whole.record or bool(groups[-1].lines) != bool(whole.lines):
            groups.append(_Group(whole, self._builders[whole.types.spec.object]))
        groups[-1].add(number, whole)

    def _whole(self, block: Block) -> WholeBlock | None:
        """The records of a block by one call; None where that is not possible."""
        if block.content not in {"documents", "elements"} or block.damaged or not is_utf8(block.data):
            return None
        text = block.text
        for decoder in self._whole_decoders:
            found = decoder.decode(text)
            if found is not None:
                self._whole_decoders.remove(decoder)
                self._whole_decoders.insert(0, decoder)  # most inputs hold the kind of the one before
                return found
        return None

    def _observe(self, group: _Group, blocks: Blocks) -> list[tuple[Observations, _Group]]:
        """The observations of a group; of its blocks one by one, without those at fault, where one is unfit."""
        texts = [blocks[number][0].data for number, _ in group.blocks]
        if not columns_may_repeat_key(texts, group.columns, group.frames):
            origins = [(blocks[number][1], count) for number, count in group.blocks]
            positions = list(chain.from_iterable(range(count) for _, count in group.blocks))
            adopted = [(name, column) for name, column in group.types.adopted if column in group.columns]
            if group.lines:
                adopted += put_lines(group.columns, group.lines)
            try:
                return [(group.builder.build(group.columns, origins, positions, adopted), group)]
            except UnfitError:
                pass
        if len(group.blocks) == 1:
            return []
        alone: list[_Group] = []
        for number, _ in group.blocks:
            # a block that fits into the stack as part of a group may not fit from here: then it is decoded leniently
            if (whole := self._whole(blocks[number][0])) is not None:
                alone.append(_Group(whole, self._builders[whole.types.spec.object]))
                alone[-1].add(number, whole)
        return [found for one in alone for found in self._observe(one, blocks)]

    def _add_lenient(self, parts: Sequence[tuple[int, Origin, LenientResult]], result: Decoded) -> None:
        """Add what blocks, each with its number, hold record by record to `result`."""
        for number, origin, found in parts:
            result.pages += found.pages
            result.rejects[number] = _of(origin, found.all_rejects())
            result.skipped += found.skipped
            result.steps += _of(origin, found.steps)
            result.neighbours += _of(origin, found.neighbours)
            counts = (len(found.records), found.rejected, found.items, len(found.steps))
            result.counts[number] = BlockCounts(*counts, found.skipped, len(found.neighbours))
        for builder in self._builders.values():
            found = [(origin, [one for one in part.records if one.spec is builder.spec]) for _, origin, part in parts]
            records = list(chain.from_iterable(some for _, some in found))
            if records:
                columns = builder.columns()
                columns.add([one.record for one in records])
                origins = [(origin, len(some)) for origin, some in found]
                positions = [one.position for one in records]
                result.observations.append(builder.build(columns, origins, positions, alone=records))


def _of(origin: Origin, found: list[Placed]) -> list[Placed]:
    """Rejects, steps or rows of an origin, which may differ from the one that they were parsed with."""
    return [one if one.origin is origin else one._replace(origin=origin) for one in found]
