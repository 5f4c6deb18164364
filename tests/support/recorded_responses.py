"""The contents of recorded payloads of the Responses API, read with Python's `json` only, as expected values."""

import json
from collections.abc import Iterator
from typing import Any, cast

from tests.support.paths import RESPONSES
from tests.support.recorded import manifest

MANIFEST = manifest(RESPONSES)
FILES = [row["file"] for row in MANIFEST]
FOLDERS = sorted({file.partition("/")[0] for file in FILES})

Response = dict[str, Any]


def responses(file: str) -> list[Response]:
    """The responses in a payload, as sent, in order; a deleted one, which has no status, is none."""
    return [one for value in _values(file) for one in _within(value) if "status" in one]


def _values(file: str) -> Iterator[Any]:
    """The JSON values in a payload: one, or those of its lines or events."""
    text = (RESPONSES / file).read_text(encoding="utf-8")
    try:
        yield json.loads(text)
    except json.JSONDecodeError:
        lines = (line.removeprefix("data:").strip() for line in text.splitlines())
        yield from (json.loads(line) for line in lines if line.startswith("{"))


def _within(value: Any) -> Iterator[Response]:
    if isinstance(value, list):
        for one in cast("list[Any]", value):
            yield from _within(one)
    elif isinstance(value, dict):
        found = cast("Response", value)
        if found.get("object") == "response":
            yield found
        else:
            for one in found.values():
                yield from _within(one)


def named(response: Response) -> tuple[str | None, str | None]:
    """The id and version of what a response calls its maker: the agent's name, else the prompt's id."""
    for name, key in (("agent_reference", "name"), ("agent", "name"), ("prompt", "id")):
        found: dict[str, Any] = response.get(name) or {}
        if found.get(key):
            version = found.get("version")
            return found[key], None if version is None else str(version)
    return None, None


def conversation(response: Response) -> str | None:
    """The id of its conversation."""
    sent: Any = response.get("conversation")
    return cast("Response", sent)["id"] if isinstance(sent, dict) else sent


def usage(response: Response) -> tuple[int | None, ...] | None:
    """Input, cached, output, reasoning, total and written tokens; None where it reports none."""
    sent = response.get("usage")
    if not sent:
        return None
    details: dict[str, Any] = sent.get("input_tokens_details") or {}
    outputs: dict[str, Any] = sent.get("output_tokens_details") or {}
    return (
        sent.get("input_tokens"),
        details.get("cached_tokens"),
        sent.get("output_tokens"),
        outputs.get("reasoning_tokens"),
        sent.get("total_tokens"),
        details.get("cache_write_tokens"),
    )
