"""Discovery stage: lists the inputs of a job's sources, and marks those that the lake has already loaded."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runmart.ingest.errors import SourceError
from runmart.ingest.load.seen_inputs import with_seen
from runmart.ingest.sources import discover
from runmart.lake.distributed import job as jobs
from runmart.lake.distributed.job import Found, Job
from runmart.lake.distributed.lake_storage import Storage
from runmart.lake.distributed.shards import Shard
from runmart.lake.distributed.shuffle import shard_of
from runmart.lake.parquet.manifest import MANIFEST, ExportError, Manifest, decoded

if TYPE_CHECKING:
    from runmart.ingest.sources.input import Input

_ROWS = 1000
"""Inputs per record batch."""


def listed(job: Job, batches: Iterable[Any]) -> Iterator[Any]:
    """The inputs, as rows, of the sources with the incoming numbers."""
    some: list[Found] = []
    for batch in batches:
        for number in batch.column(0).to_pylist():
            for found in _listed(job, number):
                some.append(found)
                if len(some) >= _ROWS:
                    yield jobs.rows(some)
                    some = []
    yield jobs.rows(some)


def _listed(job: Job, number: int) -> Iterator[Found]:
    source = job.sources[number]
    try:
        export = export_of(source)
        if export is not None:
            yield from _parts(job, number, export)
            return
        for item in discover.inputs([source]):
            owner = shard_of(item.address, job.shards)
            yield Found(owner, number, item.address, item.size, item.modified_at, item.changed_at, item.path)
    except (SourceError, ExportError) as error:
        yield Found(0, number, "", None, 0, 0, None, problem=str(error))


def _parts(job: Job, number: int, export: Manifest) -> Iterator[Found]:
    """The partitions of an export."""
    root = Storage(job.sources[number]).address
    for part, one in enumerate(export.partitions):
        file = one.files.get("runs") or next(iter(one.files.values()), None)
        if file is not None:
            size = sum(file.bytes for file in one.files.values())
            address = f"{root}/{file.path}"
            yield Found(shard_of(address, job.shards), number, address, size, job.started_at, 0, None, part)


def export_of(source: str) -> Manifest | None:
    """The manifest of a source that is an export or a lake; None for any other source.

    Raises:
        ExportError: It is damaged, incomplete, or of a newer runmart.
    """
    is_local = "://" not in source
    if source.startswith(("http://", "https://")) or (not Path(source).is_dir() if is_local else "*" in source):
        return None
    storage = Storage(source)
    text = storage.read(MANIFEST)
    if text is None:
        return None
    manifest = decoded(text, f"{storage.address}/{MANIFEST}")
    if not manifest.is_complete:
        raise ExportError(f"{storage.address}: the export was cut short; run it again")
    return manifest


def marked(job: Job, batches: Iterable[Any]) -> Iterator[Any]:
    """The same inputs, with `is_known` set for those that the lake has loaded; `batches` must hold whole shards."""
    manifest = job.before()
    for owner, group in _by_owner(jobs.found(batches)).items():
        with Shard(job, manifest, owner) as shard:
            shard.fill("inputs")
            known = with_seen(shard.connection, (openable(job, one) for one in group if one.part < 0), job.source)
            for start in range(0, len(group), _ROWS):
                some = group[start : start + _ROWS]
                yield jobs.rows(one._replace(is_known=next(known)[1]) if one.part < 0 else one for one in some)


def _by_owner(found: Iterable[Found]) -> dict[int, list[Found]]:
    groups: dict[int, list[Found]] = {}
    for one in found:
        groups.setdefault(one.owner, []).append(one)
    return groups


def openable(job: Job, found: Found) -> "Input":
    """An input that can be opened on this machine."""
    return discover.reopened(job.sources[found.source], found.input)
