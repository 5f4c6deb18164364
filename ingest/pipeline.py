"""The pipeline of a load: sources, inputs, blocks, observations, batches."""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runmart.ingest import signals
from runmart.ingest.decode.result import BlockCounts
from runmart.ingest.errors import InputError, SourceError
from runmart.ingest.load.buffer import ReadInput
from runmart.ingest.load.loader import Load
from runmart.ingest.load.seen_inputs import with_seen
from runmart.ingest.load.totals import Totals
from runmart.ingest.parse.blocks import BLOCK_BYTES, Block
from runmart.ingest.sources.discover import inputs
from runmart.ingest.sources.input import Input
from runmart.ingest.sources.reader import open_input
from runmart.ingest.transform.admission import AdmissionFilter
from runmart.ingest.transform.convert import Converted
from runmart.ingest.warehouse.connection import is_interrupt
from runmart.ingest.workers.pool import Workers
from runmart.ingest.workers.tasks import ReadToEnd, Task, read_blocks
from runmart.models.observations import Origin, Reject
from runmart.models.redaction_policy import RedactionPolicy

if TYPE_CHECKING:
    from concurrent.futures import Future

    from runmart.ingest.warehouse.writer import Writer
    from runmart.ingest.workers.tasks import Done

GROUP_BYTES = 4 << 20
GROUP_INPUTS = 4096
"""Small inputs are converted in groups of about this many bytes, or at most this many inputs."""

MAX_GROUPS = 32
"""Groups under conversion: finished ones wait in memory for an earlier one, since the order of inputs is kept."""

Progress = Callable[[str, Totals], None]
"""Called after each group with the address of its last input and the totals of the load so far."""


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
    """Load the inputs that `sources` name, and return the load, committed.

    Args:
        writer: What `open_for_writing` gives.
        sources: Files, folders, globs, `-`, URLs.
        source: The label of these runs: their organisation, project or server.
        command: What the load is called in the bookkeeping.
        observed_at: When the runs were observed, in microseconds since 1970; each input's own time when None.
        reload: Read inputs that were loaded before, too.
        content: The redaction policy from now on; the warehouse's own holds for fields that it does not name.
        workers: A pool of workers, or their number; by the number of cores when None.
        progress: Called after each group of inputs.

    Raises:
        SourceError: A source names nothing; or a server cannot be reached, and all other sources were loaded.
        WarehouseError: Content is to be hashed, and the key is missing, or not the warehouse's.
        WorkerError: A worker has ended unexpectedly; the current batch is rolled back.
        duckdb.Error: The warehouse fails; the current batch is rolled back.
    """
    with (
        workers if isinstance(workers, Workers) else Workers(workers) as pool,
        loading(writer, command, source, content) as load,
    ):
        pipeline = InputPipeline(load, source, observed_at, pool, progress)
        found = _inputs(sources, pipeline.unreachable)
        seen = with_seen(writer.connection, found, source)
        for item, is_unchanged in zip(found, repeat(None)) if reload else seen:
            if is_unchanged:
                load.totals.inputs_unchanged += 1
            else:
                pipeline.read(item)
        pipeline.finish()
        if pipeline.unreachable:
            load.commit()
            others = "; all that could be read was loaded" if load.totals.inputs else ""
            raise SourceError("; ".join(pipeline.unreachable) + others)
    return load


def _inputs(sources: Iterable[str], unreachable: list[str]) -> Generator[Input]:
    """The inputs of all sources; a URL that cannot be listed is noted, and does not keep the other sources out."""
    sources = list(sources)
    if not any("://" in source for source in sources):
        yield from inputs(sources)
        return
    next(inputs(source for source in sources if "://" not in source), None)  # checks these before the first is read
    for source in sources:
        try:
            yield from inputs([source])
        except SourceError as error:
            unreachable.append(str(error))


@contextmanager
def loading(writer: "Writer", command: str, source: str, content: RedactionPolicy | None = None) -> Generator[Load]:
    """A load that is committed at the end, or abandoned on an error; its record says how it ended."""
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
    """Takes the content of inputs: `Load`, or another class with these methods of it."""

    load_id: int
    admission: AdmissionFilter
    totals: Totals

    def add(self, converted: Converted, inputs: Sequence[tuple[str, int]], /) -> None:
        """Take converted blocks."""
        ...

    def reject(self, address: str, reject: Reject, /) -> None:
        """Take an input that could not be read."""
        ...

    def finish_input(self, read: ReadInput, /) -> None:
        """Record that an input was read to its end."""
        ...


class _InputState:
    """An input, and the numbers of its items that were passed on."""

    __slots__ = (
        "is_large",
        "item",
        "neighbours",
        "observations",
        "origin",
        "position",
        "rejected",
        "skipped",
        "steps",
    )

    def __init__(self, item: Input, origin: Origin) -> None:
        self.item = item
        self.origin = origin
        self.is_large = item.path is None or item.size is None or item.size > GROUP_BYTES
        self.position = self.observations = self.rejected = self.steps = self.neighbours = 0
        self.skipped = Counter[str]()

    def add(self, counts: BlockCounts) -> None:
        """Count what a block held."""
        self.position += counts.items
        self.observations += counts.observations
        self.rejected += counts.rejected
        self.steps += counts.steps
        self.neighbours += counts.neighbours
        if counts.skipped:
            self.skipped.update(counts.skipped)


class _Group(NamedTuple):
    """Converted together: several small inputs, or one block of a large input."""

    done: "Future[Done]"
    inputs: list[_InputState]
    """The input of each part."""


class _End(NamedTuple):
    """The end of a large input, after its blocks."""

    state: _InputState
    read: ReadToEnd


class InputPipeline:
    """Reads inputs, has them converted by the pool, and passes the results to a sink in the order of the inputs."""

    def __init__(
        self,
        sink: Sink,
        source: str,
        observed_at: int | None,
        workers: Workers,
        progress: Progress = lambda _address, _totals: None,
    ) -> None:
        """For the parameters see `ingest`."""
        self._sink = sink
        self._source = source
        self._observed_at = observed_at
        self._workers = workers
        self._progress = progress
        self._small: list[tuple[str, _InputState]] = []
        self._bytes = self._groups = 0
        self._pending = deque[_Group | _End]()
        self._large: list[_InputState] = []
        self.unreachable: list[str] = []
        """Why servers could not be reached, each with its address."""

    def read(self, item: Input) -> None:
        """Read one input; one that cannot be read becomes a reject, and one whose server is down is noted."""
        observed_at = item.modified_at if self._observed_at is None else self._observed_at
        state = _InputState(item, Origin(self._source, observed_at, self._sink.load_id))
        if state.is_large:
            self._submit_small()
            self._read_large(state)
            return
        self._small.append((item.path or "", state))
        self._bytes += item.size or 0
        if self._bytes >= GROUP_BYTES or len(self._small) >= GROUP_INPUTS:
            self._submit_small()
            while self._large:
                self._read_large(self._large.pop())

    def finish(self) -> None:
        """Pass on all that was read, and wait for it."""
        self._submit_small()
        while self._pending or self._large:
            while self._pending:
                self._take()
            if self._large:
                self._read_large(self._large.pop())

    def _read_large(self, state: _InputState) -> None:
        """Read a large input in this process, and submit its blocks."""
        try:
            reader = open_input(state.item)
            try:
                for block in read_blocks(reader, BLOCK_BYTES):
                    self._submit([(block, state)], len(block.data))
            finally:
                reader.close()
            read = ReadToEnd(reader.size, reader.content_hash)
        except SourceError as error:
            self.unreachable.append(str(error))
            return
        except InputError as error:
            read = ReadToEnd(0, "", str(error))
        self._pending.append(_End(state, read))

    def _submit_small(self) -> None:
        """Submit the collected small inputs as one group."""
        if self._small:
            self._submit(self._small, self._bytes)
            self._small, self._bytes = [], 0

    def _submit(self, parts: Sequence[tuple[Block | str, _InputState]], size: int) -> None:
        """Submit a group, and pass on those that are converted."""
        task = Task([(part, state.origin) for part, state in parts], self._sink.admission)
        done = self._workers.submit(task, size)
        self._pending.append(_Group(done, [state for _, state in parts]))
        self._groups += 1
        while self._pending and (self._is_done(self._pending[0]) or self._groups > MAX_GROUPS):
            self._take()

    @staticmethod
    def _is_done(entry: _Group | _End) -> bool:
        return isinstance(entry, _End) or entry.done.done()

    def _take(self) -> None:
        """Pass on the oldest pending group, once it is converted, or the end of an input."""
        signals.check()
        entry = self._pending.popleft()
        if isinstance(entry, _End):
            self._finish(entry.state, entry.read)
            return
        self._groups -= 1
        while not entry.done.done() and self._workers.run_oldest():
            pass
        found, ends = entry.done.result()
        self._sink.add(found, [(state.item.address, state.position) for state in entry.inputs])
        for state, counts, end in zip(entry.inputs, found.counts, ends, strict=True):
            state.add(counts)
            if end is not None:
                self._finish(state, end)
            elif not state.is_large:
                state.is_large = True
                self._large.append(state)
        self._progress(entry.inputs[-1].item.address, self._sink.totals)

    def _finish(self, state: _InputState, read: ReadToEnd) -> None:
        item = state.item
        if read.error is not None:
            self._sink.reject(item.address, Reject(state.origin, state.position, 1, read.error, "$", b""))
            self._progress(item.address, self._sink.totals)
        else:
            self._sink.finish_input(
                ReadInput(
                    item.address,
                    read.size,
                    read.content_hash,
                    item.modified_at,
                    state.observations,
                    state.rejected,
                    state.steps,
                    state.skipped,
                    state.neighbours,
                )
            )
