"""Events as JSON lines on standard error, for schedulers."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import msgspec


class Event(Protocol):
    """Logs one event with its fields."""

    def __call__(self, message: str, **fields: Any) -> None:
        """Log `message` with `fields`."""
        ...


@contextmanager
def log(form: Literal["text", "json"]) -> Generator[Event]:
    """A logger of events; silent unless `form` is json. An exception is logged before it is raised again."""
    started = time.monotonic()

    def event(message: str, **fields: Any) -> None:
        if form == "json":
            stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = {"time": stamp, "level": fields.pop("level", "info"), "message": message, **fields}
            print(msgspec.json.encode(line, enc_hook=str).decode(), file=sys.stderr)  # noqa: T201

    event("load started")
    try:
        yield event
    except BaseException as error:
        event(
            "load failed",
            level="error",
            error=str(error) or type(error).__name__,
            seconds=time.monotonic() - started,
        )
        raise
