"""Metrics: what pulls did, as a text file for the node exporter of Prometheus."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runmart.ingest.pull.runner import Outcome

_LAST_SUCCESS = "last_success_timestamp_seconds"
_SUCCESS_LINE = re.compile(rf'^runmart_pull_{_LAST_SUCCESS}\{{source="((?:[^"\\]|\\.)*)"\}} (\S+)$', re.MULTILINE)


class Pulled(NamedTuple):
    """How the pull from one source ended."""

    outcome: Outcome | None
    """None when it could not go on."""
    finished_at: float
    """Seconds since 1970."""


_METRICS: tuple[tuple[str, str], ...] = (
    ("success", "Whether the last pull went to its end, 1 or 0"),
    (_LAST_SUCCESS, "When a pull went to its end last, in seconds since 1970"),
    ("duration_seconds", "How long the last pull took"),
    ("runs_new", "Runs that the last pull brought"),
    ("runs_updated", "Runs that the last pull changed"),
    ("observations", "Runs that the last pull saw in new answers"),
    ("rejects", "Items of the last pull that could not be decoded"),
    ("threads", "Threads that the last pull asked for"),
    ("failures", "Threads and runs that the last pull could not read"),
    ("requests", "Requests of the last pull, retries included"),
    ("retries", "Requests of the last pull that were sent again"),
    ("throttled", "Answers of the last pull that asked for fewer requests"),
)


def write(path: Path, pulls: Mapping[str, Pulled]) -> None:
    """Write the metrics of pulls, by source, in one step; of a failed one, the last success stays.

    Raises:
        OSError: The file cannot be written.
    """
    before = _successes(path)
    values = {source: _values(pulled, before.get(source)) for source, pulled in pulls.items()}
    lines: list[str] = []
    for name, meaning in _METRICS:
        lines += [f"# HELP runmart_pull_{name} {meaning}", f"# TYPE runmart_pull_{name} gauge"]
        lines += [
            f'runmart_pull_{name}{{source="{_escaped(source)}"}} {found[name]!r}'
            for source, found in values.items()
            if name in found
        ]
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text("\n".join([*lines, ""]), "utf-8")
    unfinished.replace(path)


def _values(pulled: Pulled, last_success: float | None) -> dict[str, float]:
    outcome = pulled.outcome
    if outcome is None:
        return {"success": 0, **({_LAST_SUCCESS: last_success} if last_success is not None else {})}
    is_success = not outcome.is_late
    succeeded = pulled.finished_at if is_success else last_success
    return {
        "success": int(is_success),
        **({_LAST_SUCCESS: succeeded} if succeeded is not None else {}),
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


def _successes(path: Path) -> dict[str, float]:
    """When each source succeeded last, as the file says."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return {_unescaped(source): float(value) for source, value in _SUCCESS_LINE.findall(text)}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)
