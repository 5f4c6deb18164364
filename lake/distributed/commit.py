"""Begin and commit of batches: the results of all shards become the next manifest of the lake."""

import os
import time
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from runmart.ingest.errors import SourceError
from runmart.ingest.load.policies import combined
from runmart.ingest.sources.discover import STANDARD_INPUTS
from runmart.ingest.transform.admission import AdmissionFilter
from runmart.ingest.transform.redact import Redactor
from runmart.ingest.version import VERSION
from runmart.lake.distributed import manifests
from runmart.lake.distributed.convert import Sums
from runmart.lake.distributed.job import Job
from runmart.lake.distributed.lake_storage import Storage
from runmart.lake.distributed.merge import Merged
from runmart.lake.parquet.manifest import MANIFEST_ASIDE, ExportError, File, Manifest, Written
from runmart.models.redaction_policy import RedactionPolicy
from runmart.models.tables.neighbours import NEIGHBOURS

DEFAULT_SHARDS = 16
"""Enough for ten million runs; see docs/scale.md."""

_MERGED = msgspec.json.Decoder(Merged)


class Outcome(NamedTuple):
    """The result of a batch."""

    load: dict[str, Any]
    """Its row of `runmart.loads`; instants in microseconds since 1970."""
    files_written: int
    files_replaced: int
    bytes_written: int


def begin(
    lake: str,
    sources: Sequence[str],
    *,
    source: str,
    shards: int = DEFAULT_SHARDS,
    content: RedactionPolicy | None = None,
    observed_at: int | None = None,
    reload: bool = False,
) -> Job:
    """The job of the next batch of a lake, which is created if there is none.

    Args:
        lake: A path that all machines see, or a URL.
        sources: Files, folders, globs, URLs, exports.
        source: The label of these runs; runs of an export keep theirs.
        shards: Number of shards of a new lake; an existing lake keeps its own.
        content: The redaction policy; the lake's own rules hold for fields that it does not name.
        observed_at: When the runs were observed, in microseconds since 1970; each input's own time when None.
        reload: Read inputs even if they were read before.

    Raises:
        SourceError: A source is standard input.
        ExportError: The lake cannot be read, the folder is no lake, or `shards` is less than 1.
        WarehouseError: Content is to be hashed, and the key is missing or not the lake's.
    """
    if not set(STANDARD_INPUTS).isdisjoint(sources):
        raise SourceError("-: other machines do not see this one's standard input; give a path or a URL")
    if shards < 1:
        raise ExportError(f"{shards} shards: runs must fall to one at least")
    storage = Storage(lake)
    manifest = manifests.read(storage)
    if manifest is None:
        if some := [name for name in storage.names() if name != MANIFEST_ASIDE and _number(name) != 1][:1]:
            raise ExportError(
                f"{storage.address}: it holds something that is no lake ({some[0]}); choose an empty folder"
            )
        manifest = manifests.new(shards)
    known = manifests.metadata_of(manifest)
    admission = AdmissionFilter(combined(known.content, known.key_fingerprint, content))
    return Job(
        lake=lake if "://" in lake else storage.address,
        sources=tuple(one if "://" in one else os.path.abspath(one) for one in sources),  # noqa: PTH100 - links stay
        source=source,
        batch=manifests.batch_of(manifest) + 1,
        shards=known.shards,
        started_at=time.time_ns() // 1000,
        admission=admission,
        observed_at=observed_at,
        reload=reload,
    )


def finish(job: Job, merged: Iterable[bytes], unchanged: int) -> Outcome:
    """Commit a batch, and remove files that no reader needs any more.

    Args:
        job: The batch.
        merged: The rows of `merge.merged`, one per shard.
        unchanged: Number of inputs that were skipped as known.

    Raises:
        ExportError: Another batch was committed meanwhile, or the lake cannot be written to; it is unchanged.
    """
    manifest = job.before()
    lake = manifests.metadata_of(manifest)
    before, old = _files(manifest), lake.replaced
    load = _commit_manifest(job, manifest, [_MERGED.decode(one) for one in merged], unchanged)
    after = _files(manifest)
    lake.replaced = sorted(before.keys() - after.keys())
    manifests.commit(job.storage(), manifest)
    _clean(job, after.keys() | set(lake.replaced), old)
    new = after.keys() - before.keys()
    return Outcome(load, len(new), len(lake.replaced), sum(after[path].bytes for path in new))


def _commit_manifest(job: Job, manifest: Manifest, merged: list[Merged], unchanged: int) -> dict[str, Any]:
    """Add a batch to the manifest; returns its load."""
    lake = manifests.metadata_of(manifest)
    partitions = {(one.shard, one.partition): one for one in manifest.partitions}
    for of_shard in merged:
        partitions |= {(of_shard.shard, one.partition): one for one in of_shard.written}
        for table, file in of_shard.bookkeeping.items():
            of_table = lake.bookkeeping.setdefault(table, {})
            of_table.pop(of_shard.shard, None)
            if file is not None:
                of_table[of_shard.shard] = file
    manifest.partitions = sorted((one for one in partitions.values() if one.files), key=_order)
    manifest.stamp(VERSION)
    content = job.admission.content
    lake.content = {str(name): rule for name, rule in content.rules.items() if rule != "keep"}
    if "hash" in lake.content.values():
        lake.key_fingerprint = Redactor(content).fingerprint()
    load = _load(job, merged, unchanged)
    lake.loads = [*lake.loads, load]
    return load


def _load(job: Job, merged: list[Merged], unchanged: int) -> dict[str, Any]:
    sums, now = Sums(), time.time_ns() // 1000
    for one in merged:
        sums = sums.plus(one.sums)
    rejected = sum(one.rejected for one in merged)
    return {
        "load_id": job.batch,
        "command": "lake load",
        "source": job.source,
        "started_at": job.started_at,
        "finished_at": now,
        "seconds": (now - job.started_at) / 1e6,
        "state": "done with rejects" if rejected else "done",
        "inputs": sum(one.inputs for one in merged),
        "inputs_unchanged": unchanged,
        "pages": sums.pages,
        "observations": sums.observations,
        "new_runs": sum(one.new_runs for one in merged),
        "updated_runs": sum(one.updated_runs for one in merged),
        "unchanged": sum(one.unchanged for one in merged),
        "rejected": rejected,
        "skipped": sums.skipped,
        "version": VERSION,
        "steps": sums.steps,
        "pruned": sums.pruned,
        **{table.name: 0 for table in NEIGHBOURS},  # a lake does not store them: they are among what was skipped
    }


def _files(manifest: Manifest) -> dict[str, File]:
    """All files of a lake, by their paths."""
    return {file.path: file for _, file in manifest.all_files()}


def _order(one: Written) -> tuple[str, str, int]:
    return one.partition.source, one.partition.month or "", one.shard


def _clean(job: Job, known: AbstractSet[str], replaced_before: Iterable[str]) -> None:
    """Remove files that the previous batch replaced, and files of failed attempts.

    Only folders to which this batch has written are listed; files that remain elsewhere are ignored by readers.
    """
    storage = job.storage()
    storage.remove(name for name in replaced_before if name not in known)
    folders = {path.rpartition("/")[0] for path in known if _number(path) == job.batch}
    with suppress(ExportError):
        found = [name for folder in folders for name in storage.names(folder)]
        storage.remove(name for name in found if name not in known and _number(name) <= job.batch)


def _number(name: str) -> int:
    """The number of the batch that wrote a file; 2**62 for a file that no batch wrote."""
    parts = name.rpartition("/")[2].removesuffix(".parquet").split("-")
    return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else 1 << 62  # noqa: PLR2004 - shard, batch, attempt
