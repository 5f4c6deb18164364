"""Instants as the warehouse stores them: microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_microseconds(instant: datetime) -> int:
    """Microseconds from 1970-01-01T00:00Z to an instant; one without an offset counts as UTC."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)
