"""The views of costs and of run times, in plain Python."""

import random
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]


def random_prices(random_: random.Random) -> Tables:
    """Random prices with changes, ends and overlapping patterns, and an alias."""
    prices: list[Row] = []
    for provider, model in (
        ("openai", "gpt-4o"),
        ("openai", "gpt-4%"),
        ("openai", "gpt%"),
        ("azure", "o3-mini"),
        ("azure", "o3%"),
    ):
        start = 1_690_000_000
        for _ in range(random_.randrange(1, 4)):
            start += random_.randrange(1, 50_000_000)
            price = {
                "provider": provider,
                "model": model,
                "valid_from": start,
                "currency": random_.choice(("USD", "EUR")),
            }
            price |= {"input": random_.randrange(1, 60) / 4, "output": random_.randrange(1, 99) / 4}
            price |= {"cached_input": random_.choice((None, 0.5)), "source": "here"}
            price |= {"valid_to": random_.choice((None, None, start + random_.randrange(1, 40_000_000)))}
            price |= {"cache_write": random_.choice((None, 7.5))}
            price |= {f"{name}_factor": random_.choice((None, 0.5, 2.5)) for name in ("batch", "flex", "priority")}
            prices.append({**price, "tool": None, "per_call": None})
            fee = {name: price[name] for name in ("provider", "model", "valid_from", "valid_to", "currency", "source")}
            fee |= {"tool": random_.choice(("web_search_call", "odd_call")), "per_call": random_.randrange(9) / 8}
            prices.append(fee)
    alias = {"source": "b", "model": "gpt-4", "provider": "azure", "priced_as": "o3-mini"}
    return {"prices": prices, "model_aliases": [alias]}


def _fits(model: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace("%", ".*"), model) is not None


def _closeness(pattern: str) -> tuple[int, int]:
    return len(pattern.replace("%", "")), -len(pattern)


def model_prices(tables: Tables) -> list[Row]:
    """Expected rows of the view `model_prices`."""
    rows: list[Row] = []
    for source, model in sorted({(run["source"], run["model"]) for run in tables["runs"] if run["model"] is not None}):
        aliases = [one for one in tables["model_aliases"] if (one["source"], one["model"]) == (source, model)]
        provider, name = (aliases[0]["provider"], aliases[0]["priced_as"]) if aliases else ("openai", model)
        for one, period in _periods(tables, provider, name, None):
            like_input = {
                part: one["input"] if one[part] is None else one[part] for part in ("cached_input", "cache_write")
            }
            same = ("input", "output", "batch_factor", "flex_factor", "priority_factor", "currency")
            rows.append(
                {"source": source, "model": model, **period, **like_input, **{part: one[part] for part in same}}
            )
    return rows


def tool_prices(tables: Tables) -> list[Row]:
    """Expected rows of the view `tool_prices`."""
    rows: list[Row] = []
    for source, model in sorted({(run["source"], run["model"]) for run in tables["runs"] if run["model"] is not None}):
        aliases = [one for one in tables["model_aliases"] if (one["source"], one["model"]) == (source, model)]
        provider, name = (aliases[0]["provider"], aliases[0]["priced_as"]) if aliases else ("openai", model)
        for tool in sorted({one["tool"] for one in tables["prices"] if one["tool"] is not None}):
            for one, period in _periods(tables, provider, name, tool):
                fee = {"tool": tool, "per_call": one["per_call"], "currency": one["currency"]}
                rows.append({"source": source, "model": model, **period, **fee})
    return rows


def _periods(tables: Tables, provider: str, name: str, tool: str | None) -> list[tuple[Row, Row]]:
    """The prices that fit best, each with the period in which it is valid."""
    fitting = [
        one
        for one in tables["prices"]
        if (one["provider"], one["tool"]) == (provider, tool) and _fits(name, one["model"])
    ]
    longest = max((one["model"] for one in fitting), key=_closeness, default=None)
    periods = sorted((one for one in fitting if one["model"] == longest), key=lambda one: one["valid_from"])
    found: list[tuple[Row, Row]] = []
    for place, one in enumerate(periods):
        ends = [one["valid_to"]] if one["valid_to"] is not None else []
        ends += [following["valid_from"] for following in periods[place + 1 : place + 2]]
        period: Row = {"provider": provider, "priced_as": longest, "valid_from": float(one["valid_from"])}
        found.append((one, {**period, "valid_to": float(min(ends)) if ends else None}))
    return found


def run_costs(tables: Tables) -> list[Row]:
    """Expected rows of the view `run_costs`."""
    prices, fees = model_prices(tables), tool_prices(tables)
    usage = {row["run_id"]: row for row in tables["usage"]}
    calls: dict[str, list[Row]] = {}
    for step in tables["steps"]:
        calls.setdefault(step["run_id"], []).append(step)
    rows: list[Row] = []
    for run in tables["runs"]:
        tokens, created = usage.get(run["run_id"]), run["created_at"]
        if tokens is None:
            continue
        price = next((one for one in prices if created is not None and _holds(one, run)), None)
        parts = _token_costs(run, tokens, price)
        known = [part for part in parts.values() if part is not None]
        token_cost = sum(known) if len(known) == len(parts) else None
        called, unpriced, fee = _fees(calls.get(run["run_id"], []), run, price, fees)
        rows.append(
            {
                **{name: run[name] for name in ("run_id", "source", "model", "assistant_id", "status")},
                **{name: run[name] for name in ("service_tier", "is_batch")},
                "created_at": None if created is None else float(created),
                "metadata": run.get("metadata"),
                **{name: tokens[name] for name in COUNTS},
                "is_priced": token_cost is not None,
                "is_tier_priced": price and _factor(run, price) is not None,
                "priced_as": price and price["priced_as"],
                "currency": price and price["currency"],
                **parts,
                "token_cost": token_cost,
                "tool_calls": called,
                "unpriced_tool_calls": unpriced,
                "tool_cost": fee,
                "cost": None if token_cost is None else token_cost + (fee or 0),
                **{name: tokens[name] for name in ("reported_cost", "reported_cost_currency")},
            }
        )
    return rows


COUNTS = ("prompt_tokens", "cached_prompt_tokens", "cache_write_tokens", "completion_tokens", "total_tokens")


def _token_costs(run: Row, tokens: Row, price: Row | None) -> dict[str, float | None]:
    """The cost of each kind of tokens; None where it is not known."""
    names = ("uncached_input_cost", "cached_input_cost", "cache_write_cost", "output_cost")
    parts: dict[str, float | None] = dict.fromkeys(names)
    if price is None:
        return parts
    factor = _factor(run, price)
    rate = (1.0 if factor is None else factor) / 1e6
    prompt, cached, written = (tokens[name] for name in COUNTS[:3])
    rest = None if prompt is None else prompt - (cached or 0) - (written or 0)
    if rest is not None and min(rest, cached or 0, written or 0, tokens["completion_tokens"] or 0) >= 0:
        counts = (rest, cached or 0, written or 0)
        for name, count, kind in zip(names, counts, ("input", "cached_input", "cache_write"), strict=False):
            parts[name] = count * price[kind] * rate
    if tokens["completion_tokens"] is not None and tokens["completion_tokens"] >= 0:
        parts["output_cost"] = tokens["completion_tokens"] * price["output"] * rate
    return parts


def _factor(run: Row, price: Row) -> float | None:
    if run["is_batch"]:
        return price["batch_factor"]
    tiers = {"flex": price["flex_factor"], "priority": price["priority_factor"], "fast": price["priority_factor"]}
    return {**tiers, None: 1.0, "default": 1.0, "standard": 1.0, "auto": 1.0}.get(run["service_tier"])


_SERVED = ("web_search_call", "mcp_call", "odd_call", "free_call")
"""Steps that the server carries out, of those in random tables."""


def _fees(steps: Iterable[Row], run: Row, price: Row | None, fees: Iterable[Row]) -> tuple[int, int, float | None]:
    """Number of billable calls, how many of them have no fee, and the fees of the others."""
    called, amounts = 0, list[float]()
    for step in steps:
        if step["position"] is None or step["type"] not in _SERVED:
            continue
        if step["type"] == "web_search_call" and step["name"] not in (None, "search"):
            continue
        called += 1
        for one in fees:
            is_its = one["tool"] == step["type"] and run["created_at"] is not None and _holds(one, run)
            if is_its and price is not None and one["currency"] == price["currency"]:
                amounts.append(one["per_call"])
    return called, called - len(amounts), sum(amounts) if amounts else None


def _holds(price: Row, run: Row) -> bool:
    is_its = (price["source"], price["model"]) == (run["source"], run["model"])
    ends = price["valid_to"]
    return is_its and price["valid_from"] <= run["created_at"] and (ends is None or run["created_at"] < ends)


def moment(created: float | None, form: str) -> str | None:
    """The day or hour of an instant, in UTC."""
    return None if created is None else datetime.fromtimestamp(created, UTC).strftime(form)


def grouped_by(
    rows: Iterable[Row],
    key: Callable[[Row], tuple[Any, ...]],
    names: Sequence[str],
    summary: Callable[[list[Row]], Row],
) -> list[Row]:
    """A row per key, in the order of the keys with null last."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    ordered = sorted(
        groups.items(), key=lambda item: [(part is None, "" if part is None else part) for part in item[0]]
    )
    return [{**dict(zip(names, values, strict=True)), **summary(some)} for values, some in ordered]


def costs(rows: list[Row]) -> Row:
    """The total costs of some runs."""
    priced = [row for row in rows if row["is_priced"]]
    found: Row = {"runs": len(rows), "unpriced_runs": len(rows) - len(priced)}
    for name in ("uncached_input_cost", "cached_input_cost", "cache_write_cost", "output_cost", "cost"):
        found[name] = sum(row[name] for row in priced) if priced else None
    fees = [row["tool_cost"] for row in priced if row["tool_cost"] is not None]
    found |= {"tool_cost": sum(fees) if fees else None}
    found |= {"unpriced_tool_calls": sum(row["unpriced_tool_calls"] for row in rows)}
    found |= {"standard_rate_runs": sum(not row["is_tier_priced"] for row in priced)}
    return {**found, "cost_per_run": found["cost"] / len(priced) if priced else None}
