"""Packs of rejects: the first rejects of an input are kept one by one, later ones of one kind as one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from runmart.ingest.parse.reject_kinds import MAX_REJECTS, kind
from runmart.models.observations import Reject

PACK_BYTES = 32 << 20
"""A pack holds at most this much text, or one reject; and all that are open together."""

MAX_KINDS = 32
"""Packs of an input that are open at a time; the last of them takes all further kinds."""

_OTHERS = ""


@dataclass(slots=True)
class _Pack:
    """An open pack."""

    first: Reject
    last_position: int
    last_line: int
    count: int = 0
    text: bytearray = field(default_factory=bytearray)
    is_withheld: bool = False

    def add(self, reject: Reject) -> None:
        """Add a reject, or a pack of a block."""
        if self.text and reject.raw:
            self.text += b"\n"
        self.text += reject.raw
        self.count += reject.count
        self.last_position = max(reject.position, reject.last_position)
        self.last_line = max(reject.line, reject.last_line)
        self.is_withheld = self.is_withheld or reject.is_withheld

    def closed(self) -> Reject:
        """What it holds, as one reject, or as it came where it is a single one."""
        if self.count == 1:
            return self.first
        return self.first._replace(
            raw=bytes(self.text),
            is_withheld=self.is_withheld,
            count=self.count,
            last_position=self.last_position,
            last_line=self.last_line,
        )


def placed(reject: Reject, before: int) -> Reject:
    """A reject of a block with its position in the input, of which `before` items come before the block."""
    if reject.count == 1:
        return reject._replace(position=reject.position + before)
    return reject._replace(position=reject.position + before, last_position=reject.last_position + before)


class Packer:
    """Packs the rejects of inputs that are read at the same time.

    What is in a pack depends on the input alone, unless others are read at the same time: the same input, loaded again,
    gives the same rejects.
    """

    def __init__(self) -> None:
        """No input yet."""
        self._kept: dict[str, int] = {}
        self._packs: dict[str, dict[str, _Pack]] = {}
        self._bytes = 0

    def take(self, address: str, rejects: Iterable[Reject]) -> Iterator[tuple[str, Reject]]:
        """Take rejects of an input; gives those that are kept one by one, and packs that are full."""
        for reject in rejects:
            kept = self._kept.get(address, 0)
            if reject.count == 1 and kept < MAX_REJECTS:
                self._kept[address] = kept + 1
                yield address, reject
            else:
                yield from self._pack(address, reject)

    def finish(self, address: str) -> Iterator[tuple[str, Reject]]:
        """The packs of an input of which nothing more comes, in the order of their first rejects."""
        self._kept.pop(address, None)
        for pack in self._packs.pop(address, {}).values():
            self._bytes -= len(pack.text)
            yield address, pack.closed()

    def finish_all(self) -> Iterator[tuple[str, Reject]]:
        """The packs of all inputs."""
        for address in {**self._kept, **self._packs}:
            yield from self.finish(address)

    def _pack(self, address: str, reject: Reject) -> Iterator[tuple[str, Reject]]:
        packs = self._packs.setdefault(address, {})
        name = kind(reject.reason)
        if name not in packs and len(packs) >= MAX_KINDS:
            name = _OTHERS
        while self._bytes and self._bytes + len(reject.raw) > PACK_BYTES:
            yield self._close_largest()
        pack = packs.get(name)
        if pack is None:
            pack = packs[name] = _Pack(reject, reject.position, reject.line)
        before = len(pack.text)
        pack.add(reject)
        self._bytes += len(pack.text) - before

    def _close_largest(self) -> tuple[str, Reject]:
        address, name = max(
            ((address, name) for address, packs in self._packs.items() for name in packs),
            key=lambda place: len(self._packs[place[0]][place[1]].text),
        )
        pack = self._packs[address].pop(name)
        self._bytes -= len(pack.text)
        return address, pack.closed()
