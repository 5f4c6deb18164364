"""The contents of recorded payloads, read with Python's `json` only, as expected values for the decoder."""

import csv
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.paths import REALDATA

FOLDERS = sorted(path.name for path in REALDATA.iterdir() if path.is_dir())


def manifest(folder: Path) -> list[dict[str, str]]:
    """The rows of the record of origin of a folder of payloads."""
    lines = (folder / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


MANIFEST = manifest(REALDATA)
FILES = [row["file"] for row in MANIFEST]
RECORDED_HTTP = [row["file"] for row in MANIFEST if row["note"].startswith("recorded HTTP")]

ELLIPSIS = "..."
"""The line by which a documentation leaves something out."""


@dataclass
class Recorded:
    """The contents of a payload."""

    runs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    damaged: list[str] = field(default_factory=list[str])
    others: Counter[str] = field(default_factory=Counter[str])


def recorded(file: str) -> Recorded:
    """The runs in a payload as sent, lines that mean nothing, and the number of other objects.

    Some events of a documentation have a surplus brace behind their run.
    """
    text = (REALDATA / file).read_text(encoding="utf-8")
    found = Recorded()
    if file.endswith(".sse"):
        for event in text.split("\n\n"):
            _take_event(found, event)
    else:
        value = json.loads(text)
        for item in value["data"] if isinstance(value.get("data"), list) else [value]:
            if item.get("object") == "thread.run":
                found.runs.append(item)
            else:
                found.others[item.get("object", "error")] += 1
    return found


def _take_event(found: Recorded, event: str) -> None:
    found.damaged += [line for line in event.splitlines() if line == ELLIPSIS]
    lines = [line for line in event.splitlines() if line not in {"", ELLIPSIS}]
    if not lines:
        return
    assert lines[0].startswith("event: ")
    name, data = lines[0].removeprefix("event: "), "".join(lines[1:]).removeprefix("data: ")
    if name.startswith("thread.run.") and not name.startswith("thread.run.step."):
        found.runs.append(json.loads(data.removesuffix("}") if data.count("}") > data.count("{") else data))
    else:
        found.others[name] += 1
