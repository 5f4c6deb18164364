"""Parse durations and instants: 15m, 1h30m, 90d; 2026-11-01, 2026-11-01T03:00."""

import re
from datetime import UTC, datetime

from runmart.ingest.errors import SettingsError

_PART = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def seconds(text: str, setting: str) -> float:
    """Seconds in a duration.

    Raises:
        SettingsError: The text is no duration.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise SettingsError(f"{setting} must be a duration such as 45s, 15m, 1h30m or 90d, not {text!r}")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def positive_seconds(text: str, setting: str) -> float:
    """Seconds in a duration that is not zero.

    Raises:
        SettingsError: The text is no such duration.
    """
    found = seconds(text, setting)
    if found <= 0:
        raise SettingsError(f"{setting} must be longer than nothing, not {text!r}")
    return found


def instant(text: str, setting: str, now: float) -> float:
    """Seconds since 1970 at an instant (UTC without an offset), or a duration before now.

    Raises:
        SettingsError: The text is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - seconds(text, setting)
        except SettingsError:
            raise SettingsError(
                f"{setting} must be a date (2026-11-01), an instant (2026-11-01T03:00) or a duration (90d), "
                f"not {text!r}"
            ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
