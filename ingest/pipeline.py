"""The whole way of a load: sources, blocks, observations, batches, one after another."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runmart.ingest import signals
from runmart.ingest.errors import InputError
from runmart.ingest.load.buffer import ReadInput
from runmart.ingest.load.loader import Load
from runmart.ingest.load.rejects import raw_bytes
from runmart.ingest.load.seen_inputs import unread
from runmart.ingest.load.totals import Totals
from runmart.ingest.parse.blocks import BLOCK_BYTES, Block, blocks
from runmart.ingest.sources.discover import inputs
from runmart.ingest.sources.input import Input
from runmart.ingest.sources.reader import open_input
from runmart.ingest.transform.admission import AdmissionFilter
from runmart.ingest.transform.convert import Converted, Converter
from runmart.ingest.warehouse.connection import is_interrupt
from runmart.ingest.workers.pool import Workers
from runmart.ingest.workers.tasks import ReadToEnd, Task, not_blank
from runmart.models.observations import Origin, Reject
from runmart.models.redaction import RedactionPolicy

if TYPE_CHECKING:
    from concurrent.futures import Future

    from runmart.ingest.warehouse.writer import Writer
    from runmart.ingest.workers.tasks import Done

GROUP_BYTES = 4 << 20
GROUP_INPUTS = 4096
"""Small inputs are read and converted together: so much at a time is quickest, and so many files."""

MAX_GROUPS = 32
"""So many may wait for one before them that takes longer."""

Progress = Callable[[str, Totals], None]
"""Told after each group of blocks: the address of the input, and what the load did so far."""


def ingest(
    writer: "Writer",
    sources: Iterable[str],
    *,
    source: str,
    command: str = "ingest",
    observed_at: int | None = None,
    reload: bool = False,
    content: RedactionPolicy | None = None,
    workers: Workers | int | None = None,
    progress: Progress = lambda _address, _totals: None,
) -> Load:
    """Load what `sources` name.

    Args:
        writer: What `open_for_writing` gives.
        sources: Files, folders, globs, `-`, URLs.
        source: The label of these runs: which organisation, project or server.
        command: What the load is called in the bookkeeping.
        observed_at: When the runs were observed, in microseconds since 1970; each input's own time when None.
        reload: Read inputs even if they were read before.
        content: What becomes of the content of runs; the warehouse's own rules hold for fields that are not named.
        workers: Processes that convert inputs beside this one, or how many; by the number of cores when None.
        progress: Called after each group of blocks.

    Raises:
        SourceError: A source names nothing.
        WarehouseError: Content is to be hashed, and the key is missing, or not the warehouse's.
        WorkerError: A worker has ended unexpectedly; the batch at hand is rolled back.
        duckdb.Error: The warehouse fails; the batch at hand is rolled back.
    """
    with (
        workers if isinstance(workers, Workers) else Workers(workers) as converting,
        loading(writer, command, source, content) as load,
    ):
        reading = Reading(load, source, observed_at, converting, progress)
        found = inputs(sources)
        for item, is_known in zip(found, repeat(None)) if reload else unread(writer.connection, found, source):
            if is_known:
                load.totals.inputs_unchanged += 1
            else:
                reading.read(item)
        reading.finish()
    return load


@contextmanager
def loading(writer: "Writer", command: str, source: str, content: RedactionPolicy | None = None) -> Generator[Load]:
    """A load that records how it ended."""
    load = Load(writer, command, source, content)
    try:
        yield load
        signals.check()
        load.commit("done with rejects" if load.totals.rejected else "done")
    except BaseException as error:
        if is_interrupt(error):
            load.abandon("interrupted")
            raise KeyboardInterrupt from None
        load.abandon("failed")
        raise


class Sink(Protocol):
    """What takes what inputs held: a load, or what stands for one elsewhere. See `Load` for each."""

    load_id: int
    admission: AdmissionFilter
    totals: Totals

    def add(self, found: Converted, inputs: Sequence[tuple[str, int]], /) -> None:
        """Take what some blocks held."""
        ...

    def reject(self, address: str, reject: Reject, /) -> None:
        """Take an input that could not be read."""
        ...

    def finish_input(self, read: ReadInput, /) -> None:
        """Note that an input was read to its end."""
        ...


class _Taken:
    """An input, and how much of it was taken."""

    __slots__ = ("is_large", "item", "observations", "origin", "position", "rejected")

    def __init__(self, item: Input, origin: Origin) -> None:
        self.item = item
        self.origin = origin
        self.is_large = item.path is None or item.size is None or item.size > GROUP_BYTES
        self.position = self.observations = self.rejected = 0


class _Group(NamedTuple):
    """What is converted together: several small inputs, or a part of a large one."""

    done: "Future[Done]"
    inputs: list[_Taken]
    """Of each part."""


class _End(NamedTuple):
    """The end of a large input, behind its parts."""

    of: _Taken
    read: ReadToEnd


class Reading:
    """Has inputs read and converted, and puts what they held into a load, in the order of the inputs."""

    def __init__(
        self,
        load: Sink,
        source: str,
        observed_at: int | None,
        workers: Workers,
        progress: Progress = lambda _address, _totals: None,
    ) -> None:
        """What is read goes into `load`; see `ingest`."""
        self._load = load
        self._source = source
        self._observed_at = observed_at
        self._workers = workers
        self._progress = progress
        self._small: list[tuple[str, _Taken]] = []
        self._bytes = self._groups = 0
        self._pending = deque[_Group | _End]()
        self._large: list[_Taken] = []

    def read(self, item: Input) -> None:
        """Read one input; what is wrong with it is recorded, and the load goes on."""
        observed_at = item.modified_at if self._observed_at is None else self._observed_at
        of = _Taken(item, Origin(self._source, observed_at, self._load.load_id))
        if of.is_large:
            self._submit_small()
            self._read_large(of)
            return
        self._small.append((item.path or "", of))
        self._bytes += item.size or 0
        if self._bytes >= GROUP_BYTES or len(self._small) >= GROUP_INPUTS:
            self._submit_small()
            while self._large:
                self._read_large(self._large.pop())

    def finish(self) -> None:
        """Take all that was read."""
        self._submit_small()
        while self._pending or self._large:
            while self._pending:
                self._take()
            if self._large:
                self._read_large(self._large.pop())

    def _read_large(self, of: _Taken) -> None:
        """Read an input here, and have its blocks converted."""
        try:
            reader = open_input(of.item)
            try:
                for block in not_blank(blocks(reader.chunks(), BLOCK_BYTES)):
                    self._submit([(block, of)], len(block.data))
            finally:
                reader.close()
            read = ReadToEnd(reader.size, reader.content_hash)
        except InputError as error:
            read = ReadToEnd(0, "", str(error))
        self._pending.append(_End(of, read))

    def _submit_small(self) -> None:
        """Have the collected inputs read and converted."""
        if self._small:
            self._submit(self._small, self._bytes)
            self._small, self._bytes = [], 0

    def _submit(self, parts: Sequence[tuple[Block | str, _Taken]], size: int) -> None:
        """Have something converted, and take what is done."""
        task = Task([(part, of.origin) for part, of in parts], self._load.admission)
        done = self._workers.submit(task, size)
        self._pending.append(_Group(done, [of for _, of in parts]))
        self._groups += 1
        while self._pending and (self._is_done(self._pending[0]) or self._groups > MAX_GROUPS):
            self._take()

    @staticmethod
    def _is_done(entry: _Group | _End) -> bool:
        return isinstance(entry, _End) or entry.done.done()

    def _take(self) -> None:
        """Put the next of what is pending into the load."""
        signals.check()
        entry = self._pending.popleft()
        if isinstance(entry, _End):
            self._finish(entry.of, entry.read)
            return
        self._groups -= 1
        while not entry.done.done() and self._workers.help():
            pass
        found, ends = entry.done.result()
        self._load.add(found, [(of.item.address, of.position) for of in entry.inputs])
        for of, counts, end in zip(entry.inputs, found.counts, ends, strict=True):
            of.position += counts.items
            of.observations += counts.observations
            of.rejected += counts.rejected
            if end is not None:
                self._finish(of, end)
            elif not of.is_large:
                of.is_large = True
                self._large.append(of)
        self._progress(entry.inputs[-1].item.address, self._load.totals)

    def _finish(self, of: _Taken, read: ReadToEnd) -> None:
        item = of.item
        if read.error is not None:
            self._load.reject(item.address, Reject(of.origin, of.position, 1, read.error, "$", b""))
            self._progress(item.address, self._load.totals)
        else:
            self._load.finish_input(
                ReadInput(item.address, read.size, read.content_hash, item.modified_at, of.observations, of.rejected)
            )


def retry_rejects(writer: "Writer") -> Load:
    """Decode all rejects again; those that can be decoded now are loaded and forgotten, in one transaction.

    Raises:
        duckdb.Error: The warehouse fails; nothing is changed.
    """
    rows = writer.connection.execute("""
        select reject_id, source, input, position, line, epoch_us(observed_at), raw, raw_encoding
        from runmart.rejects where raw is not null order by reject_id""").fetchall()
    converter = Converter()
    with loading(writer, "rejects --retry", "") as load:
        for reject_id, source, address, position, line, observed_at, raw, encoding in rows:
            data = raw_bytes(raw, encoding)
            block = next(blocks([data]), Block(b""))
            found = converter.convert(
                [(replace(block, line=line), Origin(source, observed_at, load.load_id))], load.admission
            )
            if found.counts[0].rejected or not found.counts[0].items:
                load.totals.rejected += 1
                continue
            load.clear_reject(reject_id)
            load.add(found, [(address, position)])
    return load
