"""Rate limits: what servers say about them in headers, and a gate that holds all requests back."""

import asyncio
import email.utils
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h|d))")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(slots=True)
class Gate:
    """Holds all requests during a back-off that the server asks for."""

    until: float = 0.0
    clock: Callable[[], float] = field(default=time.monotonic)

    def close(self, seconds: float) -> None:
        """Hold requests for so long, or longer if they are held longer already."""
        self.until = max(self.until, self.clock() + seconds)

    async def pass_(self) -> None:
        """Wait until requests may be sent."""
        while (seconds := self.until - self.clock()) > 0:
            await asyncio.sleep(seconds * random.uniform(1.0, 1.1))  # noqa: S311 - jitter


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The back-off that the server asks for, in seconds: a number or a date (RFC 9110, 10.2.3), or milliseconds."""
    if (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    if (seconds := _number(value)) is not None:
        return seconds
    if (moment := _instant(value)) is None:
        return None
    now = sent(headers)  # by the server's clock, if it is known
    return max(0.0, moment - (time.time() if now is None else now))


def sent(headers: Mapping[str, str]) -> float | None:
    """When the server has sent a response by its own clock (RFC 9110, 6.6.1), in seconds since 1970."""
    return _instant(headers.get("date", ""))


def reset_seconds(headers: Mapping[str, str]) -> float | None:
    """When the rate limit is reset, in seconds from now, if no request is left; None if some are."""
    if headers.get("x-ratelimit-remaining-requests") != "0":
        return None
    return duration(headers.get("x-ratelimit-reset-requests", "")) or 0.0


def duration(text: str) -> float | None:
    """Seconds in `1s`, `6m0s`, `20ms` or a plain number."""
    parts = _DURATION.findall(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else _number(text)


def _instant(text: str) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
