"""Statuses and instants of runs and their steps.

Source: the OpenAI API description, schemas `RunObject.status` and `RunStepObject.status`.
"""

from runmart.models.record_specs import SPECS

TERMINAL_STATUSES = tuple(dict.fromkeys(status for spec in SPECS for status in spec.terminal_statuses))
"""Statuses of runs that have ended. A run of an unknown status, which is stored as sent, counts as open."""

OPEN_STATUSES = ("queued", "in_progress", "requires_action", "cancelling")

RUN_STATUSES = frozenset((*OPEN_STATUSES, *TERMINAL_STATUSES))
"""All statuses that are known."""

LIFECYCLE_INSTANTS = ("created_at", "started_at", "completed_at", "failed_at", "cancelled_at")
"""Instants at which the state of a run changed; `expires_at` is set at creation, and is none of them."""

STEP_OBJECT = "thread.run.step"
"""The value of the `object` field of a run step."""

TERMINAL_STEP_STATUSES = ("completed", "failed", "cancelled", "expired")
STEP_INSTANTS = ("created_at", "completed_at", "failed_at", "cancelled_at")
"""Instants at which the state of a step changed; the expiry time is set at creation."""
