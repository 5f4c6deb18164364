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
            prices.append(price)
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
        fitting = [one for one in tables["prices"] if one["provider"] == provider and _fits(name, one["model"])]
        longest = max((one["model"] for one in fitting), key=_closeness, default=None)
        periods = sorted((one for one in fitting if one["model"] == longest), key=lambda one: one["valid_from"])
        for place, one in enumerate(periods):
            ends = [one["valid_to"]] if one["valid_to"] is not None else []
            ends += [following["valid_from"] for following in periods[place + 1 : place + 2]]
            cached = one["input"] if one["cached_input"] is None else one["cached_input"]
            rows.append(
                {
                    "source": source,
                    "model": model,
                    "provider": provider,
                    "priced_as": longest,
                    "valid_from": float(one["valid_from"]),
                    "valid_to": float(min(ends)) if ends else None,
                    "input": one["input"],
                    "cached_input": cached,
                    "output": one["output"],
                    "currency": one["currency"],
                }
            )
    return rows


def run_costs(tables: Tables) -> list[Row]:
    """Expected rows of the view `run_costs`."""
    prices, usage = model_prices(tables), {row["run_id"]: row for row in tables["usage"]}
    rows: list[Row] = []
    for run in tables["runs"]:
        tokens, created = usage.get(run["run_id"]), run["created_at"]
        if tokens is None:
            continue
        price = next((one for one in prices if created is not None and _holds(one, run)), None)
        prompt, completion, cached = (
            tokens["prompt_tokens"],
            tokens["completion_tokens"],
            tokens["cached_prompt_tokens"],
        )
        parts: list[float | None] = [None, None, None]
        if price and prompt is not None:
            parts[0] = (prompt - (cached or 0)) * price["input"] / 1e6
            parts[1] = (cached or 0) * price["cached_input"] / 1e6
        if price and completion is not None:
            parts[2] = completion * price["output"] / 1e6
        known = [part for part in parts if part is not None]
        cost = sum(known) if len(known) == len(parts) else None
        rows.append(
            {
                **{name: run[name] for name in ("run_id", "source", "model", "assistant_id", "status")},
                "created_at": None if created is None else float(created),
                "metadata": run.get("metadata"),
                "prompt_tokens": prompt,
                "cached_prompt_tokens": cached,
                "completion_tokens": completion,
                "total_tokens": tokens["total_tokens"],
                "is_priced": cost is not None,
                "priced_as": price and price["priced_as"],
                "currency": price and price["currency"],
                **dict(zip(("uncached_input_cost", "cached_input_cost", "output_cost"), parts, strict=True)),
                "cost": cost,
            }
        )
    return rows


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
    for name in ("uncached_input_cost", "cached_input_cost", "output_cost", "cost"):
        found[name] = sum(row[name] for row in priced) if priced else None
    return {**found, "cost_per_run": found["cost"] / len(priced) if priced else None}
