"""The table `errors`: one row per problem that a run reports."""

from typing import Any, NamedTuple

from msgspec import UNSET

from runmart.models import arrow
from runmart.models.arrow import Array, compute
from runmart.models.columns import BIGINT, TIMESTAMPTZ, VARCHAR, Column, Table
from runmart.models.observations import RUN_CREATED_AT, Distinct, Observations

LAST_ERROR = "last_error"
INCOMPLETE_DETAILS = "incomplete_details"


class ErrorRows(NamedTuple):
    """The columns of the rows (m)."""

    observation: Array
    run_id: Array
    run_created_at: Array
    kind: Array
    code: Array
    message: Array
    occurred_at: Array


def rows(observations: Observations) -> ErrorRows:
    """Rows for each observation's last error and incomplete details."""
    errors = _problems(observations.last_error, LAST_ERROR, "code", "message")
    details = _problems(observations.incomplete_details, INCOMPLETE_DETAILS, "reason", None)
    columns = [arrow.concatenated(both) for both in zip(errors, details, strict=True)]
    order = compute.sort_indices(columns[0])
    observation, kind, code, message = (column.take(order) for column in columns)
    ended_at = compute.coalesce(*map(observations.instants, ("failed_at", "completed_at", "cancelled_at")))
    return ErrorRows(observation, *observations.keys(observation), kind, code, message, ended_at.take(observation))


def _problems(sent: Distinct[Any], kind: str, code: str, message: str | None) -> tuple[Array, Array, Array, Array]:
    """Observation, kind, code and message of the rows of one kind of problem."""
    observation = compute.indices_nonzero(sent.where(lambda problem: problem is not None)).cast(BIGINT)
    indices = sent.indices.take(observation)
    return (
        observation,
        arrow.repeat(kind, len(observation), VARCHAR),
        _texts(sent, code).take(indices),
        _texts(sent, message).take(indices) if message else arrow.nulls(len(observation), VARCHAR),
    )


def _texts(sent: Distinct[Any], name: str) -> Array:
    """A text of each distinct value; null where it was null or not sent."""
    texts = [getattr(problem, name, None) for problem in sent.values]
    return arrow.array([None if text is UNSET else text for text in texts], VARCHAR)


ERRORS: Table[ErrorRows] = Table(
    "errors",
    grain="one row per problem a run reports",
    purpose="Errors of runs (last_error), and reasons why runs are incomplete (incomplete_details).",
    columns=(
        Column("run_id", VARCHAR, lambda rows: rows.run_id, "The run"),
        Column("kind", VARCHAR, lambda rows: rows.kind, "last_error or incomplete_details"),
        Column("code", VARCHAR, lambda rows: rows.code, "Error code; for incomplete_details the reason"),
        Column("message", VARCHAR, lambda rows: rows.message, "The error's message"),
        Column("occurred_at", TIMESTAMPTZ, lambda rows: rows.occurred_at.view(TIMESTAMPTZ), "When the run failed, completed or was cancelled, whichever is set first"),
        RUN_CREATED_AT,
    ),
)  # fmt: skip
