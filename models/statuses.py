"""The life of a run: its statuses, the fields and the events of a stream that tell of it.

Source: the OpenAI API description, schema `RunObject.status` and `RunStreamEvent`.
"""

TERMINAL_STATUSES = ("completed", "failed", "cancelled", "expired", "incomplete")
"""A run in one of these has ended for good."""

OPEN_STATUSES = ("queued", "in_progress", "requires_action", "cancelling")
"""A run in one of these goes on. An unknown status is kept as it is and counts as open."""

LIFECYCLE_INSTANTS = ("created_at", "started_at", "completed_at", "failed_at", "cancelled_at")
"""The instants at which something happened to a run; `expires_at` is known from the start and tells nothing."""

RUN_OBJECT = "thread.run"
"""What the `object` field of a run says."""

STEP_OBJECT = "thread.run.step"
"""What the `object` field of a run step says."""

RUN_EVENT_PREFIX = "thread.run."
RUN_STEP_EVENT_PREFIX = "thread.run.step."
"""Events of an assistant stream: `thread.run.*` carry a run, all but `thread.run.step.*`, which carry a step."""

TERMINAL_STEP_STATUSES = ("completed", "failed", "cancelled", "expired")
STEP_INSTANTS = ("created_at", "completed_at", "failed_at", "cancelled_at")
"""When something happened to a step; when it expires is set from the beginning."""
