"""Instants: a column of Unix times as sent becomes one of microseconds."""

from msgspec import UNSET

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BIGINT
from runmart.models.quirks import MILLISECONDS_FROM, microseconds
from runmart.models.sent import Sent


def instants(sent: Sent, name: str) -> Array:
    """A field that holds instants (shape: n), in microseconds since 1970, by the rules of `quirks.microseconds`."""
    array = sent.array(name)
    if array.null_count == sent.count:
        return arrow.nulls(sent.count, BIGINT)
    if array.type == BIGINT:
        ends = compute.min_max(array).as_py()
        if ends["min"] > 0 and ends["max"] < MILLISECONDS_FROM:
            return compute.multiply(array, 1_000_000)
    return arrow.array([None if value is UNSET else microseconds(value) for value in sent.values(name)], BIGINT)
