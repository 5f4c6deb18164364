"""The table `usage`: one row per run that reports tokens."""

from typing import NamedTuple

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BIGINT, DOUBLE, JSON, VARCHAR, Column, Getter, Table
from runmart.models.observations import RUN_CREATED_AT, Observations, Usages


class UsageRows(NamedTuple):
    """The columns of the rows (m)."""

    observation: Array
    run_id: Array
    run_created_at: Array
    usage: Usages


def rows(observations: Observations) -> UsageRows:
    """A row for each observation that reports usage."""
    observation = observations.usage.runs
    return UsageRows(observation, *observations.keys(observation), observations.usage)


def _first(name: str, other: str) -> Getter[UsageRows]:
    """The tokens under `name`, else under `other`, its name in the Responses API."""

    def values(rows: UsageRows) -> Array:
        sent = rows.usage.columns
        return compute.coalesce(sent.array(name), sent.array(other)) if sent.is_sent(other) else sent.array(name)

    return values


def _currency(rows: UsageRows) -> Array:
    """The currency of the reported costs: all known servers count in US dollars."""
    return compute.if_else(rows.usage.reported_costs.is_valid(), "USD", arrow.scalar(None, VARCHAR))


USAGE: Table[UsageRows] = Table(
    "usage",
    grain="one row per run that reports usage",
    purpose="Token usage per run. Cached tokens are part of prompt tokens, reasoning tokens part of completion tokens.",
    columns=(
        Column("run_id", VARCHAR, lambda rows: rows.run_id, "The run"),
        Column("prompt_tokens", BIGINT, _first("prompt_tokens", "input_tokens"), "Prompt tokens, cached ones included"),
        Column("cached_prompt_tokens", BIGINT, lambda rows: rows.usage.cached_prompt_tokens, "Cached prompt tokens"),
        Column("cache_write_tokens", BIGINT, lambda rows: rows.usage.cache_write_tokens, "Prompt tokens written to the cache, part of prompt tokens"),
        Column("completion_tokens", BIGINT, _first("completion_tokens", "output_tokens"), "Completion tokens, reasoning ones included"),
        Column("reasoning_tokens", BIGINT, lambda rows: rows.usage.reasoning_tokens, "Reasoning tokens, part of completion tokens"),
        Column("total_tokens", BIGINT, lambda rows: rows.usage.columns.array("total_tokens"), "Total tokens, as sent"),
        Column("reported_cost", DOUBLE, lambda rows: rows.usage.reported_costs, "Cost that the server or gateway reports: usage.cost (OpenRouter), cost_in_usd_ticks (xAI) or pydantic_ai_gateway.cost_estimate"),
        Column("reported_cost_currency", VARCHAR, _currency, "Currency of the reported cost: USD"),
        Column("details", JSON, lambda rows: rows.usage.details, "Token details and unknown fields of usage, as sent"),
        RUN_CREATED_AT,
    ),
)  # fmt: skip
