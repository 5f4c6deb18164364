"""The table `usage`: one row per run that reports tokens."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from runmart.models.columns import BIGINT, JSON, VARCHAR, Column, Getter, Table
from runmart.models.getters import field
from runmart.models.observations import Observation, Usage


class UsageRow(NamedTuple):
    """What one row is made of."""

    observation: int
    run_id: str
    usage: Usage


def rows(observations: Sequence[Observation]) -> list[UsageRow]:
    """A row for each observation that reports usage."""
    return [
        UsageRow(index, observation.run.id, observation.usage)
        for index, observation in enumerate(observations)
        if observation.usage is not None
    ]


def _first(name: str, other: str) -> Getter[UsageRow]:
    """The tokens under `name`, or under `other`, the name of the Responses API."""

    def values(rows: Sequence[UsageRow]) -> list[int | None]:
        return [_known(getattr(row.usage.tokens, name), getattr(row.usage.tokens, other)) for row in rows]

    return values


def _known(value: int | UnsetType | None, other: int | UnsetType | None) -> int | None:
    if value is None or value is UNSET:
        return None if other is UNSET else other
    return value


USAGE: Table[UsageRow] = Table(
    "usage",
    grain="one row per run that reports usage",
    purpose="Tokens per run. Cached tokens are part of prompt tokens, reasoning tokens part of completion tokens.",
    columns=(
        Column("run_id", VARCHAR, field("run_id"), "The run"),
        Column("prompt_tokens", BIGINT, _first("prompt_tokens", "input_tokens"), "Tokens read, the cached ones included"),
        Column("cached_prompt_tokens", BIGINT, field("usage.cached_prompt_tokens"), "Prompt tokens that came from the cache"),
        Column("completion_tokens", BIGINT, _first("completion_tokens", "output_tokens"), "Tokens written, the reasoning ones included"),
        Column("reasoning_tokens", BIGINT, field("usage.reasoning_tokens"), "Completion tokens spent on reasoning"),
        Column("total_tokens", BIGINT, field("usage.tokens.total_tokens"), "Total as sent"),
        Column("details", JSON, field("usage.details"), "The detail objects and whatever else usage holds, as sent"),
    ),
)  # fmt: skip
