"""The whole way of a load: sources, blocks, observations, batches, one after another."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runmart.ingest.blocks import Block, blocks
from runmart.ingest.decode import Decoder
from runmart.ingest.errors import InputError
from runmart.ingest.inputs import Input
from runmart.ingest.load import Load, ReadInput, Totals, original
from runmart.ingest.read import content_hash, open_input
from runmart.ingest.sources import inputs
from runmart.ingest.warehouse import is_interrupt
from runmart.models.observations import Origin, Reject

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Progress = Callable[[str, Totals], None]
"""Told after each block: the address of the input, and what the load did so far."""


def ingest(
    connection: "DuckDBPyConnection",
    sources: Iterable[str],
    *,
    source: str,
    command: str = "ingest",
    observed_at: int | None = None,
    reload: bool = False,
    progress: Progress = lambda _address, _totals: None,
) -> Load:
    """Load what `sources` name.

    Args:
        connection: A connection from `open_for_writing`.
        sources: Files, folders, globs, `-`, URLs.
        source: The label of these runs: which organisation, project or server.
        command: What the load is called in the bookkeeping.
        observed_at: When the runs were observed, in microseconds since 1970; each input's own time when None.
        reload: Read inputs even if they were read before.
        progress: Called after each block.

    Raises:
        SourceError: A source names nothing.
        duckdb.Error: The warehouse fails; the batch at hand is rolled back.
    """
    with _loading(connection, command, source) as load:
        reading = _Reading(connection, load, source, observed_at, reload=reload, progress=progress)
        for item in inputs(sources):
            reading.read(item)
    return load


@contextmanager
def _loading(connection: "DuckDBPyConnection", command: str, source: str) -> Generator[Load]:
    """A load that records how it ended."""
    load = Load(connection, command, source)
    try:
        yield load
        load.commit("done with rejects" if load.totals.rejected else "done")
    except BaseException as error:
        if is_interrupt(error):
            load.abandon("interrupted")
            raise KeyboardInterrupt from None
        load.abandon("failed")
        raise


class _Reading:
    """Reads inputs into a load."""

    def __init__(
        self,
        connection: "DuckDBPyConnection",
        load: Load,
        source: str,
        observed_at: int | None,
        *,
        reload: bool,
        progress: Progress,
    ) -> None:
        self._load = load
        self._source = source
        self._observed_at = observed_at
        self._progress = progress
        self._decoder = Decoder()
        self._known = set[tuple[str, int, str]]() if reload else _known_inputs(connection, source)
        self._known_sizes = {known[:2] for known in self._known}

    def read(self, item: Input) -> None:
        """Read one input; what is wrong with it is recorded, and the load goes on."""
        observed_at = item.modified_at if self._observed_at is None else self._observed_at
        origin = Origin(self._source, observed_at, self._load.load_id)
        position = 0
        try:
            if self._is_unchanged(item):
                self._load.totals.inputs_unchanged += 1
                return
            position = self._read(item, origin)
        except InputError as error:
            self._load.reject(item.address, Reject(origin, position, 1, str(error), "$", b""))
        self._progress(item.address, self._load.totals)

    def _is_unchanged(self, item: Input) -> bool:
        if (item.address, item.size) not in self._known_sizes:
            return False
        return (item.address, *content_hash(item)) in self._known

    def _read(self, item: Input, origin: Origin) -> int:
        reader = open_input(item)
        position = observations = rejected = 0
        blank = True
        try:
            for block in blocks(reader.chunks()):
                blank = blank and not block.data.strip()
                decoded = self._decoder.decode(block, origin, position)
                position += decoded.items
                observations += len(decoded.observations)
                rejected += len(decoded.rejects)
                self._load.add(item.address, decoded, len(block.data))
                self._progress(item.address, self._load.totals)
        finally:
            reader.close()
        if blank:
            raise InputError("there is nothing but whitespace in it: a failed download?")
        self._load.finish_input(
            ReadInput(item.address, reader.size, reader.content_hash, item.modified_at, observations, rejected)
        )
        return position


def _known_inputs(connection: "DuckDBPyConnection", source: str) -> set[tuple[str, int, str]]:
    rows = connection.execute(
        "select address, size, content_hash from runmart.inputs where source = ?", [source]
    ).fetchall()
    return {(address, size, digest) for address, size, digest in rows}


def retry_rejects(connection: "DuckDBPyConnection") -> Load:
    """Decode all rejects again; those that can be decoded now are loaded and forgotten, in one transaction.

    Raises:
        duckdb.Error: The warehouse fails; nothing is changed.
    """
    rows = connection.execute("""
        select reject_id, source, input, position, line, epoch_us(observed_at), raw, raw_encoding
        from runmart.rejects where raw is not null order by reject_id""").fetchall()
    decoder = Decoder()
    with _loading(connection, "rejects --retry", "") as load:
        for reject_id, source, address, position, line, observed_at, raw, encoding in rows:
            data = original(raw, encoding)
            block = next(blocks([data]), Block(b""))
            decoded = decoder.decode(
                Block(block.data, line, is_events=block.is_events),
                Origin(source, observed_at, load.load_id),
                position,
            )
            if decoded.rejects or not decoded.items:
                load.totals.rejected += 1
                continue
            load.clear_reject(reject_id)
            load.add(address, decoded, len(data))
    return load
