"""Decoder: blocks in, observations out. No I/O, no clock, no database.

A block is decoded by one call of msgspec where that is possible, and many such blocks become observations together, a
column at a time. A block with a bad record, a quirk or damage is decoded record by record: see `lenient`. Both ways
give the same observations.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from runmart.ingest.decode.lenient import LenientDecoder
from runmart.ingest.decode.observations import ObservationBuilder
from runmart.ingest.decode.result import BlockCounts, Decoded
from runmart.ingest.decode.whole import WholeBlock, WholeDecoder, is_utf8
from runmart.ingest.parse.blocks import Block
from runmart.ingest.parse.classify import Classifier
from runmart.ingest.parse.formats import FORMATS, Format
from runmart.ingest.parse.json_object import UnfitError
from runmart.ingest.parse.repeated_keys import columns_may_repeat_key
from runmart.models.observations import Observations, Origin
from runmart.models.record_spec import SPECS, RecordSpec

if TYPE_CHECKING:
    from msgspec import Struct

Blocks = Sequence[tuple[Block, Origin]]
"""Blocks, each with the origin of what it holds."""


class _Group:
    """Blocks that were decoded whole, into records of one type."""

    def __init__(self, first: WholeBlock, builder: ObservationBuilder) -> None:
        self.types = first.types
        self.record = first.record
        self.columns = builder.columns(first.record)
        self.builder = builder
        self.blocks: list[tuple[int, int]] = []
        """Of each block: which it is, from 0, and the number of its records."""
        self.pages: list[Struct] = []
        """The pages that the records were in, without them."""

    def add(self, number: int, block: WholeBlock) -> None:
        """Add a block."""
        self.columns.add(block.records)
        self.blocks.append((number, len(block.records)))
        self.pages += [] if block.page is None else [block.page]


class Decoder:
    """Decodes the blocks of any number of inputs.

    It remembers unknown fields and tool lists, to be faster; its results never depend on that.
    """

    def __init__(self, specs: Sequence[RecordSpec] = SPECS, formats: Sequence[Format] = FORMATS) -> None:
        self._classifier = Classifier(specs)
        self._builders = {spec.object: ObservationBuilder(spec) for spec in specs}
        self._lenient = LenientDecoder(self._classifier, self._builders, formats)
        self._whole_decoders = [WholeDecoder(spec, self._classifier) for spec in specs]

    def decode(self, blocks: Blocks) -> Decoded:
        """The observations of `blocks`; their positions are those in the block."""
        result = Decoded(rejects=[[] for _ in blocks], counts=[BlockCounts(0, 0, 0)] * len(blocks))
        rest = set(range(len(blocks)))
        for group in self._groups(range(len(blocks)), blocks):
            for observations, part in self._observe(group, blocks):
                result.observations += [observations] if len(observations) else []
                result.pages += len(part.pages)
                for number, count in part.blocks:
                    result.counts[number] = BlockCounts(count, 0, count)
                    rest.remove(number)
        self._decode_leniently([(number, *blocks[number]) for number in sorted(rest)], result)
        return result

    def _groups(self, numbers: Iterable[int], blocks: Blocks) -> list[_Group]:
        """The blocks with these numbers that can be decoded whole."""
        groups: list[_Group] = []
        for number in numbers:
            block, _ = blocks[number]
            found = self._whole(block)
            if found is None:
                continue
            if not groups or groups[-1].record is not found.record:
                groups.append(_Group(found, self._builders[found.types.spec.object]))
            groups[-1].add(number, found)
        return groups

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
        if not columns_may_repeat_key(texts, group.columns, group.pages):
            origins = [(blocks[number][1], count) for number, count in group.blocks]
            positions = list(chain.from_iterable(range(count) for _, count in group.blocks))
            adopted = [(name, column) for name, column in group.types.adopted if column in group.columns]
            try:
                return [(group.builder.build(group.columns, origins, positions, adopted), group)]
            except UnfitError:
                pass
        if len(group.blocks) == 1:
            return []
        # a block that fits into the stack as part of a group may not fit from here: then it is decoded leniently
        alone = chain.from_iterable(self._groups([number], blocks) for number, _ in group.blocks)
        return [found for one in alone for found in self._observe(one, blocks)]

    def _decode_leniently(self, blocks: Sequence[tuple[int, Block, Origin]], result: Decoded) -> None:
        """Decode `blocks`, each with its number, record by record, and add what they hold to `result`."""
        parts = [(number, origin, self._lenient.decode(block, origin)) for number, block, origin in blocks]
        for number, _, found in parts:
            result.pages += found.pages
            result.rejects[number] = found.all_rejects()
            result.skipped += found.skipped
            result.steps += found.steps
            result.counts[number] = BlockCounts(
                len(found.records), found.rejected, found.items, len(found.steps), found.skipped
            )
        for builder in self._builders.values():
            found = [(origin, [one for one in part.records if one.spec is builder.spec]) for _, origin, part in parts]
            records = list(chain.from_iterable(some for _, some in found))
            if records:
                columns = builder.columns()
                columns.add([one.record for one in records])
                origins = [(origin, len(some)) for origin, some in found]
                positions, extras = [one.position for one in records], [one.extra for one in records]
                result.observations.append(builder.build(columns, origins, positions, extras=extras))
