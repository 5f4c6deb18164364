"""Precedence: which observation of a run, and of a step, is stored.

The order stands in one place, `LATEST`, for runs in a file, a DuckLake or a lake, from a page or from an export:

1. a run that has ended beats one that is open; of these, a response beats a chat completion, and both beat
   what a proxy's log says of them. Any of these beats a run with the same id, which no server gives both;
2. the later last instant in the record itself;
3. more values in the fields of the record: a thinner record takes nothing away;
4. the later time of observation;
5. the later position in its input;
6. the larger digest of its columns: any fixed rule would do.

This is a total order on what an observation holds. So the outcome is its maximum, whatever came first and however the
observations were grouped into batches. Steps have the same order, `LATEST_STEP`.

Rule 3 counts values, not mentions: null, an empty text, `{}` and `[]` are none, so that clients that leave out nulls
say as much as those that write them. It counts in columns, which are the same for a stored observation as for one that
arrives. Each count of `usage` and each part of an error counts by itself: one that has fewer of them is thinner, too.
These fields are not counted:

* `required_action`: it says what a run waits for at a moment. A run that goes from `requires_action` to `in_progress`
  has the same instants before and after, and the later observation must win.
* `expires_at`: servers take it away when a run ends, so its absence may be the later word. The same goes for a step's.
* `id` and `status`, which every record has.

The `custom_id` of a line of a batch counts, though it is in `extra`.

What is known of a response beside the record itself is kept from all observations, whichever is stored, and takes no
part in the order: when it was created, as servers stamp a response anew with each event of it, and some with the time
of its answer; that it came out of a batch, and how long it took, which only the envelope of one of them may tell; and
what it cost by a gateway's account. The same goes for chat completions and for requests in a proxy's log, which have
the id of the provider's answer: all of them may be observations of one row. `kept` has the rules.
"""

from typing import Any

from runmart.ingest.sql_text import quoted
from runmart.models.columns import JSON, VARCHAR, Column, Table
from runmart.models.record_specs import CHAT_COMPLETION, LITELLM_REQUEST, RESPONSE
from runmart.models.records import RunFields, RunStepRecord
from runmart.models.statuses import LIFECYCLE_INSTANTS, STEP_INSTANTS, TERMINAL_STATUSES, TERMINAL_STEP_STATUSES
from runmart.models.tables.errors import ERRORS
from runmart.models.tables.runs import RUNS
from runmart.models.tables.steps import STEPS
from runmart.models.tables.usage import USAGE

NOT_IN_ORDER = ("is_batch", "duration_seconds", "latency_source", "reported_cost", "reported_cost_currency")
"""Columns that take no part in the order. Of runs, the first three are null, and the costs are in `details`, too."""

_NOT_COUNTED = {"id", "status", "agent_id", "required_action", "expires_at", "expired_at", *NOT_IN_ORDER}
"""Fields that rule 3 leaves out; what `agent_id` says is in the column `assistant_id`."""

_TOKENS = (
    *("prompt_tokens", "cached_prompt_tokens", "cache_write_tokens"),
    *("completion_tokens", "reasoning_tokens", "total_tokens"),
)
_COLUMNS: dict[str, tuple[str, ...]] = {
    "tools": ("tool_count",),
    "truncation_strategy": ("truncation_type", "truncation_last_messages"),
    "usage": _TOKENS,
    "last_error": ("error_code", "error_message"),
    "step_details": ("tool_types",),
}
"""The columns of `runs` and `steps` for fields that have no column of their own name."""

_ROWS: dict[str, tuple[str, ...]] = {USAGE.name: (*_TOKENS, "details"), ERRORS.name: ("code", "message")}
"""Tables that have a row for a field of a run, and the columns of it that are counted."""

_IS_COST_ALONE = " and ".join(f"{name} is null" for name in (*_TOKENS, "details")) + " and reported_cost is not null"

IS_TOLD = {USAGE.name: f"not ({_IS_COST_ALONE})"}
"""SQL over tables: whether a row is part of the stored observation. A kept cost may have a row of its own: records that
tell a cost have it in their details."""

_KINDS_OF_REQUEST = ", ".join(quoted(spec.object) for spec in (LITELLM_REQUEST, CHAT_COMPLETION, RESPONSE))
"""Records of one request to a model, the ones that say most of it last."""

IS_REQUEST = f"coalesce(object in ({_KINDS_OF_REQUEST}), false)"
"""SQL over `runs`: whether a row is one request, of which something is kept from all observations."""

CREATED_AT = f"case when not {IS_REQUEST} then created_at end"
"""SQL over `runs`: `created_at` as far as it takes part in the order."""

_HAS_CUSTOM_ID = "cast(coalesce(json_exists(extra, '$.custom_id'), false) as bigint)"
"""SQL over `runs`: the id that the caller gave in a batch, which goes with the observation."""

_EMPTY_JSON = r"\s*(null|\{\s*\}|\[\s*\]|\"\")\s*"


def _has_value(table: Table[Any], column: Column[Any]) -> str:
    name = column.name
    if column.type == JSON:
        return f"coalesce(not regexp_full_match(cast({name} as varchar), '{_EMPTY_JSON}'), false)"
    if column.type == VARCHAR:
        return f"coalesce({name} <> '', false)"
    if name == "created_at":
        return f"({CREATED_AT}) is not null" if table is RUNS else "created_at is not null"
    return f"coalesce({name} > 0, false)" if name == "tool_count" else f"{name} is not null"


def _sum(table: Table[Any], names: tuple[str, ...]) -> str:
    """How many of these columns have a value; 0 where the table has none of them."""
    found = [_has_value(table, column) for column in table.columns if column.name in names]
    return " + ".join(f"cast({one} as bigint)" for one in found) or "0"


def _sum_of_fields(table: Table[Any], fields: tuple[str, ...]) -> str:
    counted = (field for field in fields if field not in _NOT_COUNTED)
    return _sum(table, tuple(name for field in counted for name in _COLUMNS.get(field, (field,))))


def fields_of_run(table: Table[Any]) -> str:
    """SQL: how many values of its run a row of one of the four tables holds; rule 3 takes their sum."""
    if table is RUNS:
        return f"{_sum_of_fields(RUNS, RunFields.__struct_fields__)} + {_HAS_CUSTOM_ID}"
    return _sum(table, _ROWS.get(table.name, ()))


def _ended(statuses: tuple[str, ...]) -> str:
    return f"coalesce(status in ({', '.join(map(quoted, statuses))}), false)"


RANK = f"""
    {_ended(TERMINAL_STATUSES)} as has_ended,
    list_position([{_KINDS_OF_REQUEST}], object) as kind,
    greatest({CREATED_AT}, {", ".join(one for one in LIFECYCLE_INSTANTS if one != "created_at")}) as last_event_at,
    {IS_REQUEST} as is_request,
    created_at,
    object,
    is_batch,
    duration_seconds,
    latency_source,
    load_id,
    observed_at,
    observed_position"""
"""SQL over `runs`: what `LATEST` needs beside the sums `fields` and `content` over the rows of an observation; and what
is kept from all observations."""

LATEST = (
    "is_request desc, has_ended desc, kind desc nulls last, last_event_at desc nulls last, fields desc,"
    " observed_at desc, observed_position desc, content desc"
)
"""The order of the observations of a run, the one to store first."""

_STEP_CONTENT = ", ".join(column.name for column in STEPS.columns if column.name != "load_id")

LATEST_STEP = f"""
    {_ended(TERMINAL_STEP_STATUSES)} desc,
    greatest({", ".join(STEP_INSTANTS)}) desc nulls last,
    {_sum_of_fields(STEPS, RunStepRecord.__struct_fields__)} desc,
    observed_at desc,
    observed_position desc,
    md5(cast(json_array({_STEP_CONTENT}) as varchar)) desc"""
"""The same for a step, over `steps`."""


def latest_neighbour(table: Table[Any]) -> str:
    """The order of the observations of a row of a table beside runs: what they tell has no state that could go on."""
    content = ", ".join(column.name for column in table.columns if column.name != "load_id")
    return f"observed_at desc, observed_position desc, md5(cast(json_array({content}) as varchar)) desc"
