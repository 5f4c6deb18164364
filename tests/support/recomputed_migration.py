"""Deployments and their comparison, in plain Python, one turn at a time."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from tests.support.recomputed_turns import FAILURES, TOKENS, Row, Tables, total, turn_runs

Z = 1.959963984540054
FEWEST = 30


def random_deployments() -> Tables:
    """Rules of each kind, some of which match the same turns, and failed requests."""
    digest = hashlib.md5(b"Be kind.", usedforsecurity=False).hexdigest()
    rules = (
        *(("one", "before", "assistant_id", "asst_1"), ("one", "after", "agent_name", "agent_1")),
        *(("two", "before", "metadata:team", "a"), ("two", "after", "metadata:team", "a")),
        *(("two", "after", "metadata:team", "b"), ("three", "before", "model", "gpt-4")),
        *(("three", "after", "instructions_digest", digest), ("four", "after", "prompt_id", "nobody")),
    )
    names = ("deployment", "side", "match_kind", "match_value")
    found: list[Row] = [{**dict(zip(names, rule, strict=True)), "source": None} for rule in rules]
    found[1]["source"] = "a"
    found[5]["valid_to"] = 1_750_500_000
    models = ("gpt-4o", "no", None)
    failures = [{"failure_id": str(place), "source": "b", "model": model} for place, model in enumerate(models)]
    return {"deployments": found, "request_failures": failures}


def deployment_turns(tables: Tables) -> list[Row]:
    """Expected rows of the view `deployment_turns`."""
    runs = {run["run_id"]: run for run in tables["runs"]}
    heads = [runs[row["run_id"]] for row in turn_runs(tables) if row["run_id"] == row["turn_id"]]
    rows: list[Row] = []
    for name in sorted({rule["deployment"] for rule in tables["deployments"]}):
        for run in heads:
            own = "after" if run.get("object") == "response" else "before"
            rules = [rule for rule in tables["deployments"] if rule["deployment"] == name and _fits(rule, run)]
            sides = {rule["side"] for rule in rules}
            if sides:
                side = own if len(sides) > 1 else sides.pop()
                rows.append({"deployment": name, "side": side, "turn_id": run["run_id"]})
    places = [(row["turn_id"], row["side"]) for row in rows]
    found = [{**row, "is_shared": places.count(place) > 1} for row, place in zip(rows, places, strict=True)]
    return sorted(found, key=lambda row: (row["deployment"], row["side"], row["turn_id"]))


def _fits(rule: Row, run: Row) -> bool:
    until = rule.get("valid_to")
    is_early = until is None or (run["created_at"] is not None and run["created_at"] < until)
    return rule["source"] in {None, run["source"]} and is_early and rule["match_value"] in _values(rule, run)


def _values(rule: Row, run: Row) -> list[str | None]:
    """What a run has of the kind of a rule."""
    kind = rule["match_kind"]
    if kind in {"agent_name", "prompt_id"}:
        return [run["assistant_id"]] if run.get("object") == "response" else []
    if kind == "instructions_digest":
        text = re.sub(r"[ \t\n\x0b\f\r]+", " ", run["instructions"] or "").strip(" ")
        return [hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()]
    if kind == "metadata:team":
        sent: Any = json.loads(run["metadata"] or "null")
        return [cast("Row", sent).get("team")] if isinstance(sent, dict) else []
    return [run[kind]]


Percentile = Callable[[Sequence[float], float], float | None]


def migration_comparison(tables: Tables, found: Sequence[Row], percentile: Percentile) -> list[Row]:
    """Expected rows of the view `migration_comparison`, of the turns `found`."""
    known = {turn["turn_id"]: turn for turn in found}
    owned: dict[tuple[str, str], list[Row]] = {}
    for rule in tables["deployments"]:
        owned.setdefault((rule["deployment"], rule["side"]), [])
    for row in deployment_turns(tables):
        turn = known[row["turn_id"]]
        owned[row["deployment"], row["side"]].append({**turn, **row})
    sides = {key: _side(key, some, found, owned, tables, percentile) for key, some in sorted(owned.items())}
    return [{**row, **_judgement(key[0], sides)} for key, (row, _) in sides.items()]


def _mean(values: Sequence[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _per(values: Sequence[Any]) -> float | None:
    """A sum over the number of all values, null ones included."""
    found = total(values)
    return None if found is None else found / len(values)


def _wilson(failures: int, trials: int) -> tuple[float | None, float | None, float | None]:
    if trials == 0:
        return None, None, None
    rate, z2 = failures / trials, Z * Z
    middle = (2 * trials * rate + z2) / (2 * (trials + z2))
    spread = math.sqrt(z2 * (z2 + 4 * trials * rate * (1 - rate))) / (2 * (trials + z2))
    return rate, max(0.0, middle - spread), min(1.0, middle + spread)


def _side(  # noqa: PLR0917 - all that a row is made of
    key: tuple[str, str],
    some: list[Row],
    found: Sequence[Row],
    owned: dict[tuple[str, str], list[Row]],
    tables: Tables,
    percentile: Percentile,
) -> tuple[Row, list[str]]:
    """A row without its judgement, and the reasons of its side."""
    completed = [turn for turn in some if turn["status"] == "completed"]
    timed = [turn for turn in completed if turn["turn_seconds"] is not None]
    seconds = [turn["turn_seconds"] for turn in timed]
    ended = [turn for turn in some if turn["is_terminal"]]
    failures = sum(turn["is_failure"] for turn in ended)
    reporting = [turn for turn in some if turn["runs_with_usage"] == turn["runs"]]
    priced = [turn for turn in some if turn["cost"] is not None]
    currencies = {turn["currency"] for turn in priced}
    cost = sum(turn["cost"] for turn in priced) / len(priced) if len(currencies) == 1 else None
    prompts, cached = (total([turn[name] for turn in reporting]) for name in TOKENS[:2])
    requests, problems = _unrecorded(key, some, found, owned, tables)
    rate, low, high = _wilson(failures, len(ended))
    all_rates = _wilson(failures + requests, len(ended) + requests) if requests is not None and ended else [None] * 3
    created = [turn["created_at"] for turn in some if turn["created_at"] is not None]
    waiting = sum(turn["is_waiting"] for turn in some)
    open_turns = sum(not turn["is_terminal"] and not turn["is_waiting"] for turn in some)
    shared = sum(turn["is_shared"] for turn in some)
    known_calls = [turn["tool_calls"] for turn in some if turn["tool_calls"] is not None]
    median = percentile(seconds, 0.5)
    resolution = max((turn["resolution_seconds"] for turn in timed), default=None)
    row: Row = {
        "deployment": key[0],
        "side": key[1],
        "turns": len(some),
        "runs": sum(turn["runs"] for turn in some),
        "model_calls_per_turn": _mean([turn["model_calls"] for turn in some]),
        "models": ", ".join(sorted({turn["model"] for turn in some} - {None})) or None,
        "first_turn_at": min(created, default=None),
        "last_turn_at": max(created, default=None),
        "open_turns": len(some) - len(ended),
        "waiting_turns": waiting,
        "shared_turns": shared,
        "completed_turns": len(completed),
        "timed_turns": len(timed),
        "timed_share": len(timed) / len(completed) if completed else None,
        **{f"turn_seconds_p{share}": percentile(seconds, share / 100) for share in (50, 95, 99)},
        "resolution_seconds": resolution,
        "failure_rate": rate,
        "failure_rate_low": low,
        "failure_rate_high": high,
        **{
            f"{status}_share": sum(turn["status"] == status for turn in ended) / len(ended) if ended else None
            for status in FAILURES
        },
        "unrecorded_failures": requests,
        **dict(zip([f"failure_rate_with_unrecorded{end}" for end in ("", "_low", "_high")], all_rates, strict=True)),
        "turns_with_usage": len(reporting),
        **{f"{name}_per_turn": _per([turn[name] for turn in reporting]) for name in TOKENS[:5]},
        "cached_share": cached / prompts if cached is not None and prompts else None,
        "turns_with_steps": len(known_calls),
        "tool_calls_per_turn": _mean(known_calls),
        "priced_turns": len(priced),
        "currency": currencies.pop() if len(currencies) == 1 else None,
        "cost_per_turn": cost,
        "cost_per_thousand_turns": None if cost is None else 1000 * cost,
    }
    count = len(some)
    reasons = (
        ("no turns", count == 0),
        (f"fewer than {FEWEST} turns", 0 < count < FEWEST),
        ("open turns", open_turns > 0.05 * count),
        ("calls without a recorded answer", waiting > 0.05 * count),
        ("turns of another deployment", shared > 0),
        ("durations missing", len(timed) < 0.95 * len(completed)),
        ("resolution", median is not None and resolution is not None and median < 3 * resolution),
        *((problem, True) for problem in problems),
        ("tokens missing", len(reporting) < 0.95 * count),
        ("costs missing", len(priced) < 0.95 * count),
        ("several currencies", bool(priced) and row["currency"] is None),
    )
    return row, [reason for reason, holds in reasons if holds]


def _unrecorded(
    key: tuple[str, str],
    some: list[Row],
    found: Sequence[Row],
    owned: dict[tuple[str, str], list[Row]],
    tables: Tables,
) -> tuple[int | None, list[str]]:
    """Failed requests of a side, and why they may be others'."""
    owners: dict[tuple[str, str | None], set[Any]] = {}
    places: dict[str, list[Any]] = {}
    for owner, turns_ in owned.items():
        for turn in turns_:
            places.setdefault(turn["turn_id"], []).append(owner)
    for turn in found:
        if turn["object"] == "response":
            for owner in places.get(turn["turn_id"], [None]):
                owners.setdefault((turn["source"], turn["model"]), set()).add(owner)
    own = {(turn["source"], turn["model"]) for turn in some if turn["object"] == "response"}
    sources = {source for source, _ in own}
    if not sources:
        return None, []
    failures = [one for one in tables["request_failures"] if one["source"] in sources]
    count, unclear = 0, False
    for one in failures:
        place = one["source"], one["model"]
        is_known = one["model"] is not None and place in owners
        of_source = {who for (source, _), all_of in owners.items() if source == one["source"] for who in all_of}
        whose = owners[place] if is_known and len(owners[place]) == 1 else of_source
        count += whose == {key}
        unclear = unclear or (len(whose) > 1 and (not is_known or place in own))
    is_missing = {one["source"] for one in failures} != sources
    problems = ["no record of failed requests"] * is_missing + ["failed requests of several deployments"] * unclear
    return None if problems else count, problems


def _judgement(name: str, sides: dict[tuple[str, str], tuple[Row, list[str]]]) -> Row:
    """Whether a deployment can be compared, and why not."""
    both = [sides.get((name, side)) for side in ("before", "after")]
    reasons = [
        f"{side}: {', '.join(one[1])}" for side, one in zip(("before", "after"), both, strict=True) if one and one[1]
    ]
    rows = [one[0] for one in both if one is not None]
    if len(rows) == 1:
        reasons.append("one side only")
    for column, reason in (("models", "model changed"), ("currency", "currency changed")):
        values = [row[column] for row in rows]
        if len(values) > 1 and None not in values and values[0] != values[1]:
            reasons.append(reason)
    return {"comparable": not reasons, "reasons": "; ".join(reasons) or None}
