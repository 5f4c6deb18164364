"""Instants of pulls: seconds since 1970 outside, microseconds in the warehouse."""


def microseconds(seconds: float | None) -> int | None:
    """An instant in microseconds since 1970; None for None."""
    return None if seconds is None else round(seconds * 1_000_000)
