"""The table `errors`: one row per problem a run reports."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from runmart.models.columns import TIMESTAMPTZ, VARCHAR, Column, Table
from runmart.models.getters import field, instant
from runmart.models.observations import Observation
from runmart.models.records import RunRecord

LAST_ERROR = "last_error"
INCOMPLETE_DETAILS = "incomplete_details"


class ErrorRow(NamedTuple):
    """What one row is made of."""

    observation: int
    run_id: str
    kind: str
    code: str | UnsetType | None
    message: str | UnsetType | None
    occurred_at: float | None


def rows(observations: Sequence[Observation]) -> list[ErrorRow]:
    """Rows for each observation's last error and incomplete details."""
    found: list[ErrorRow] = []
    for index, observation in enumerate(observations):
        run, error, details = observation.run, observation.last_error, observation.incomplete_details
        if error is not None:
            found.append(ErrorRow(index, run.id, LAST_ERROR, error.code, error.message, _ended(run)))
        if details is not None:
            found.append(ErrorRow(index, run.id, INCOMPLETE_DETAILS, details.reason, None, _ended(run)))
    return found


def _ended(run: RunRecord) -> float | None:
    """When the problem ended the run: its failure, else its completion or cancellation, else null."""
    for ended_at in (run.failed_at, run.completed_at, run.cancelled_at):
        if ended_at is not UNSET and ended_at:
            return ended_at
    return None


ERRORS: Table[ErrorRow] = Table(
    "errors",
    grain="one row per problem a run reports",
    purpose="Why runs failed (last_error) or stopped short (incomplete_details).",
    columns=(
        Column("run_id", VARCHAR, field("run_id"), "The run"),
        Column("kind", VARCHAR, field("kind"), "last_error or incomplete_details"),
        Column("code", VARCHAR, field("code"), "The error's code; of incomplete_details its reason"),
        Column("message", VARCHAR, field("message"), "The error's message"),
        Column("occurred_at", TIMESTAMPTZ, instant("occurred_at"), "When the run failed, completed or was cancelled, whichever is set first"),
    ),
)  # fmt: skip
