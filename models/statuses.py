"""Statuses and instants of runs and their steps.

Source: the OpenAI API description, schemas `RunObject.status` and `RunStepObject.status`.
"""

from runmart.models.record_spec import SPECS

TERMINAL_STATUSES = tuple(dict.fromkeys(status for spec in SPECS for status in spec.terminal_statuses))
"""A run in one of these has ended for good. An unknown status is kept as it is and counts as open."""

LIFECYCLE_INSTANTS = ("created_at", "started_at", "completed_at", "failed_at", "cancelled_at")
"""The instants at which something happened to a run; `expires_at` is known from the start and tells nothing."""

STEP_OBJECT = "thread.run.step"
"""What the `object` field of a run step says."""

TERMINAL_STEP_STATUSES = ("completed", "failed", "cancelled", "expired")
STEP_INSTANTS = ("created_at", "completed_at", "failed_at", "cancelled_at")
"""When something happened to a step; when it expires is set from the beginning."""
