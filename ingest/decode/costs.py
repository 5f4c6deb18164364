"""Costs that servers and gateways report in the usage of a record. All of them count in US dollars."""

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite

import msgspec
from msgspec import Raw

from runmart.models.quirks import normalise

_TICKS = 10**10
_COST: msgspec.json.Decoder[Decimal | None] = msgspec.json.Decoder(Decimal | None)
_MEMBERS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])


def reported_cost(members: Mapping[str, bytes]) -> float | None:
    """The cost that usage reports; None where it reports none, or none that is a number.

    Where several are reported, what the server that was asked charges comes before what it, or a gateway, estimates:

    1. `cost` (OpenRouter). With a key of one's own for the model's provider (`is_byok`) it is what OpenRouter charges,
       without the provider's bill, which is in `cost_details`;
    2. `cost_in_usd_ticks` (xAI), in 1e-10 dollars;
    3. `pydantic_ai_gateway.cost_estimate` (Pydantic AI's gateway).

    Args:
        members: The members of usage that have no column: name to value as sent.
    """
    ticks = _number(members.get("cost_in_usd_ticks"))
    found = (
        _number(members.get("cost")),
        None if ticks is None else ticks / _TICKS,
        _number(_member(members.get("pydantic_ai_gateway"), "cost_estimate")),
    )
    cost = next((float(one) for one in found if one is not None), None)
    return None if cost is None or not isfinite(cost) else cost


def _number(raw: bytes | None) -> Decimal | None:
    try:
        found = _COST.decode(normalise("temperature", raw)) if raw else None
    except msgspec.DecodeError:  # not of this form: it is in the details as sent
        return None
    return found if found is None or found.is_finite() else None  # NaN, in quotes


def _member(raw: bytes | None, name: str) -> bytes | None:
    if not raw or raw[:1] != b"{":
        return None
    return bytes(_MEMBERS.decode(raw).get(name, b"null"))
