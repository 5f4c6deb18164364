"""Metrics of pulls, as a text file for the node exporter of Prometheus."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

from runmart.ingest.pull.request import Outcome

_LAST_SUCCESS = "last_success_timestamp_seconds"


class Pulled(NamedTuple):
    """Result of the pull from one source."""

    outcome: Outcome | None
    """None when it failed."""
    finished_at: float
    """Seconds since 1970."""


_METRICS: dict[str, str] = {
    "success": "Whether the last pull was completed, 1 or 0",
    _LAST_SUCCESS: "When a pull was completed last, in seconds since 1970",
    "duration_seconds": "How long the last pull took",
    "runs_new": "Runs that the last pull added",
    "runs_updated": "Runs that the last pull changed",
    "observations": "Runs in new responses of the last pull",
    "rejects": "Items of the last pull that could not be decoded",
    "threads": "Threads that the last pull read",
    "failures": "Threads and runs that the last pull could not read",
    "requests": "Requests of the last pull, retries included",
    "retries": "Requests of the last pull that were sent again",
    "throttled": "Responses of the last pull with status 429",
}


def write(path: Path, pulls: Mapping[str, Pulled]) -> None:
    """Replace the file by the metrics of pulls, by source; for a failed pull, the time of the last success is kept.

    Raises:
        OSError: The file cannot be written.
    """
    last_successes = _last_successes(path)
    registry = CollectorRegistry()
    gauges = {
        name: Gauge(f"runmart_pull_{name}", meaning, ["source"], registry=registry)
        for name, meaning in _METRICS.items()
    }
    for source, pulled in pulls.items():
        for name, value in _metric_values(pulled, last_successes.get(source)).items():
            gauges[name].labels(source).set(value)
    write_to_textfile(str(path), registry)


def _metric_values(pulled: Pulled, last_success: float | None) -> dict[str, float]:
    outcome = pulled.outcome
    is_success = outcome is not None and not outcome.deadline_reached
    succeeded = pulled.finished_at if is_success else last_success
    values: dict[str, float] = {"success": int(is_success)}
    if succeeded is not None:
        values[_LAST_SUCCESS] = succeeded
    if outcome is not None:
        values |= {
            "duration_seconds": outcome.seconds,
            "runs_new": outcome.totals.new_runs,
            "runs_updated": outcome.totals.updated_runs,
            "observations": outcome.totals.observations,
            "rejects": outcome.totals.rejected,
            "threads": outcome.threads,
            "failures": outcome.failures.total(),
            "requests": outcome.counters.requests,
            "retries": outcome.counters.retries,
            "throttled": outcome.counters.throttled,
        }
    return values


def _last_successes(path: Path) -> dict[str, float]:
    """The last success of each source in the file; none when there is no such file."""
    try:
        families = list(text_string_to_metric_families(path.read_text("utf-8")))
    except (OSError, ValueError):
        return {}
    return {
        sample.labels["source"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == f"runmart_pull_{_LAST_SUCCESS}" and "source" in sample.labels
    }
