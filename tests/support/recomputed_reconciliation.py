"""The view of our costs beside the organisation's, in plain Python."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from tests.support.recomputed_costs import Row, Tables, moment, run_costs

DAY = 86_400
USAGE, COSTS = "organization.usage.completions.result", "organization.costs.result"
ITEMS = {
    None: None,
    "gpt-4o, input": "gpt-4o",
    "gpt-4o audio, output": "gpt-4o",
    "priority | o3-mini, cached input": "o3-mini",
    "web search tool calls": None,
    "assistants api | file search": None,
}
"""Line items, and the models that they name."""

Key = tuple[Any, ...]


def random_usage(random_: random.Random, beginnings: Iterable[int]) -> Tables:
    """Results of buckets of several widths, in several groupings, of days on which there are runs and of others."""
    rows: list[Row] = []
    for number in range(150):
        first = random_.choice(list(beginnings)) // DAY * DAY + random_.randrange(5) * DAY
        width = random_.choice((3_600, 3_600, 36_000, DAY, DAY, 2 * DAY, 7 * DAY))
        start = first + (random_.randrange(DAY // 3_600) * 3_600 if width < DAY else random_.choice((0, 0, 0, 43_200)))
        row: Row = {"bucket_id": str(number), "source": random_.choice(("a", "b")), "start_time": start}
        row |= {"end_time": start + width, "project_id": random_.choice((None, "proj_1", "proj_2"))}
        row |= {"object": random_.choice((USAGE, COSTS, COSTS, "organization.usage.images.result"))}
        row |= dict.fromkeys(("model", "line_item", "amount", "currency", "input_tokens", "cached_input_tokens"))
        row |= dict.fromkeys(("output_tokens", "model_requests", "batch"))
        if row["object"] == COSTS:
            row |= {"line_item": random_.choice(list(ITEMS)), "currency": random_.choice(("USD", "USD", "EUR"))}
            row |= {"amount": random_.choice((None, *(random_.randrange(1, 999) / 8 for _ in range(5))))}
        else:
            row |= {"model": random_.choice((None, "gpt-4o", "gpt-4")), "batch": random_.choice((None, True))}
            row |= {"input_tokens": random_.randrange(9_999), "cached_input_tokens": random_.choice((None, 5))}
            row |= {"output_tokens": random_.randrange(999), "model_requests": random_.randrange(99)}
        rows.append(row)
    return {"organization_usage": rows}


def cost_reconciliation(tables: Tables) -> list[Row]:
    """Expected rows of the view `cost_reconciliation`."""
    money: dict[Key, dict[str, dict[Any, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    counts: dict[Key, Counter[str]] = defaultdict(Counter)
    _add_runs(tables, money, counts)
    hours = _add_results(tables, money, counts)
    rows: list[Row] = []
    for key in sorted({*money, *counts}, key=lambda key: [(part is None, part or "") for part in key]):
        currencies = sorted({one for sums in money[key].values() for one in sums}, key=lambda one: (one is None, one))
        for place, currency in enumerate(currencies or [None]):
            sums = {name: found[currency] for name, found in money[key].items() if currency in found}
            rows.append(_row(key, currency, sums, counts[key] if place == 0 else None, hours))
    return rows


def _add_runs(tables: Tables, money: Any, counts: dict[Key, Counter[str]]) -> None:
    kinds = {run["run_id"]: run.get("object") for run in tables["runs"]}
    for row in run_costs(tables):
        key = (moment(row["created_at"], "%Y-%m-%d"), 1, row["source"], row["model"])
        found = counts[key]
        found["runs"] += 1
        found["responses"] += kinds[row["run_id"]] == "response"
        found["unpriced_runs"] += not row["is_priced"]
        found["unpriced_tool_calls"] += row["unpriced_tool_calls"]
        for name in ("prompt_tokens", "cached_prompt_tokens", "completion_tokens"):
            if row[name] is not None:
                found[name] += row[name]
        if row["is_priced"]:
            for name in ("token_cost", "tool_cost", "cost"):
                if row[name] is not None:
                    money[key][name][row["currency"]].append(row[name])
        if row["reported_cost"] is not None:
            money[key]["reported_cost"][row["reported_cost_currency"]].append(row["reported_cost"])
            if row["cost"] is not None and row["currency"] == row["reported_cost_currency"]:
                difference = row["reported_cost"] - row["cost"]
                money[key]["reported_difference"][row["currency"]].append(difference)


def _add_results(tables: Tables, money: Any, counts: dict[Key, Counter[str]]) -> dict[Key, float]:
    results = [row for row in tables["organization_usage"] if row["object"] in (USAGE, COSTS)]
    kept, hours = _kept(results), defaultdict[Key, float](float)
    for source, name, start, end, _ in kept:
        hours[moment(start, "%Y-%m-%d"), _days(start, end), source, name] += (end - start) / 3_600
    for row in results:
        model = ITEMS[row["line_item"]] if row["object"] == COSTS else row["model"]
        days = _days(row["start_time"], row["end_time"])
        key = (moment(row["start_time"], "%Y-%m-%d"), days, row["source"], model)
        found = counts[key]
        if (*_bucket(row), _grouping(row)) not in kept:
            found["left_out"] += 1
        elif row["object"] == USAGE:
            for name in ("input_tokens", "cached_input_tokens", "output_tokens", "model_requests"):
                if row[name] is not None:
                    found[name] += row[name]
        elif row["amount"] is not None:
            money[key]["organization_cost"][row["currency"]].append(row["amount"])
        found["runs"] += 0
    return hours


def _bucket(row: Row) -> Key:
    return row["source"], row["object"], row["start_time"], row["end_time"]


def _grouping(row: Row) -> Key:
    is_named = row["model"] is not None or row["line_item"] is not None
    return is_named, row["project_id"] is not None, row["batch"] is not None


def _days(start: float, end: float) -> int:
    return math.ceil(end / DAY) - math.floor(start / DAY)


def _kept(results: list[Row]) -> set[Key]:
    """The buckets that count, each with the one grouping that counts."""
    groupings: dict[Key, Counter[Key]] = defaultdict(Counter)
    for row in results:
        groupings[_bucket(row)][_grouping(row)] += 1
    best = {bucket: max(found, key=lambda one: (one[0], found[one], one)) for bucket, found in groupings.items()}
    found: dict[bool, list[Key]] = {True: [], False: []}
    ends: dict[Key, float] = {}
    for bucket in sorted(best, key=lambda one: (one[0], one[1], one[2], -one[3])):
        source, name, start, end = bucket
        is_short = _days(start, end) == 1
        if ends.get((source, name, is_short), start) <= start:
            found[is_short].append(bucket)
        ends[source, name, is_short] = max(end, ends.get((source, name, is_short), end))
    long = [one for one in found[False] if not any(_overlap(one, other) for other in found[True])]
    return {(*bucket, best[bucket]) for bucket in (*found[True], *long)}


def _overlap(one: Key, other: Key) -> bool:
    return one[:2] == other[:2] and one[2] < other[3] and other[2] < one[3]


def _row(key: Key, currency: Any, sums: dict[str, list[float]], counts: Counter[str] | None, hours: Any) -> Row:
    def count(name: str, *, is_zero: bool = True) -> int | None:
        return None if counts is None or not (is_zero or name in counts) else counts[name]

    def less(one: int | None, other: int | None) -> int | None:
        return None if one is None or other is None else one - other

    amounts: dict[str, float | None] = {
        name: sum(sums[name]) if name in sums else None
        for name in ("token_cost", "tool_cost", "cost", "reported_cost", "reported_difference", "organization_cost")
    }
    ours = {name: count(name, is_zero=False) for name in ("prompt_tokens", "cached_prompt_tokens", "completion_tokens")}
    theirs = {
        f"organization_{name}": count(sent, is_zero=False)
        for name, sent in (
            ("input_tokens", "input_tokens"),
            ("cached_tokens", "cached_input_tokens"),
            ("output_tokens", "output_tokens"),
            ("requests", "model_requests"),
        )
    }
    cost, charged = amounts["cost"], amounts["organization_cost"]
    is_comparable = counts is not None and counts["runs"] == counts["responses"]
    return {
        **dict(zip(("day", "days", "source", "model"), key, strict=True)),
        "currency": currency,
        **{name: count(name) for name in ("runs", "responses", "unpriced_runs", "unpriced_tool_calls")},
        **amounts,
        "reporting_runs": len(sums.get("reported_cost", ())),
        "cost_difference": None if cost is None or charged is None else charged - cost,
        **ours,
        **theirs,
        "input_tokens_difference": less(theirs["organization_input_tokens"], ours["prompt_tokens"]),
        "output_tokens_difference": less(theirs["organization_output_tokens"], ours["completion_tokens"]),
        "requests_difference": less(theirs["organization_requests"], count("responses")) if is_comparable else None,
        "usage_hours": hours.get((*key[:3], USAGE)),
        "costs_hours": hours.get((*key[:3], COSTS)),
        "left_out_results": count("left_out"),
    }
