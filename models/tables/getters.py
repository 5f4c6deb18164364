"""How the columns of `runs` are taken from a batch: by calls of Arrow over all of it."""

from collections.abc import Callable
from itertools import chain, repeat
from typing import Any

import pyarrow as pa
from msgspec import UNSET

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BIGINT, TIMESTAMPTZ, VARCHAR, Getter
from runmart.models.observations import Observations, Origin
from runmart.models.tables.tools import digest


def field(name: str) -> Getter[Observations]:
    """A field as sent; null where a server sent nothing."""
    return lambda runs: runs.sent.array(name)


def common(name: str) -> Getter[Observations]:
    """As `field`, for texts that many runs have in common."""
    return lambda runs: runs.sent.encoded(name).array


def instant(name: str) -> Getter[Observations]:
    """A field that holds instants."""
    return lambda runs: runs.instants(name).view(TIMESTAMPTZ)


def json(name: str) -> Getter[Observations]:
    """A field that is kept as JSON."""
    return lambda runs: runs.json[name]


def origin(get: Callable[[Origin], Any], arrow_type: pa.DataType) -> Getter[Observations]:
    """What `get` finds in the origin of each run."""

    def values(runs: Observations) -> Array:
        found = chain.from_iterable(repeat(get(of), count) for of, count in runs.origins)
        return arrow.array(list(found), arrow_type)

    return values


def position(runs: Observations) -> Array:
    """The place of each run in its input."""
    return arrow.array(runs.positions, BIGINT)


def assistant_id(runs: Observations) -> Array:
    """`assistant_id`, or Azure's `agent_id` where that is missing or null."""
    assistants = runs.sent.encoded("assistant_id").array
    if runs.sent.is_sent("agent_id"):
        return compute.coalesce(runs.sent.array("assistant_id"), runs.sent.array("agent_id")).dictionary_encode()
    return assistants


def instructions(runs: Observations) -> Array:
    """The instructions; null where a server sent nothing."""
    return runs.instructions.array(lambda text: text, VARCHAR)


def tool_count(runs: Observations) -> Array:
    """How many tools there are."""
    return arrow.array(map(len, runs.tools.values), BIGINT).take(runs.tools.indices)


def tools_digest(runs: Observations) -> Array:
    """What tells their lists of tools apart."""
    return runs.tools.array(digest, VARCHAR)


def truncation(name: str, arrow_type: pa.DataType) -> Getter[Observations]:
    """A field of the truncation strategy; null where there is none."""

    def value(found: Any) -> Any:
        sent = getattr(found, name, UNSET)
        return None if sent is UNSET else sent

    return lambda runs: runs.truncation.array(value, arrow_type)
