-- purpose: Open runs at their latest observation; overdue ones should have expired. Responses do not expire: one whose stream was cut off stays open.
-- grain: one row per open run
-- column run_id VARCHAR: The run
-- column source VARCHAR: Label of the run (--source): its organisation, project or server
-- column thread_id VARCHAR: The thread it belongs to
-- column assistant_id VARCHAR: The assistant that runs
-- column model VARCHAR: Model, as sent
-- column status VARCHAR: The status, as sent: queued, in_progress, requires_action, cancelling, or another
-- column created_at TIMESTAMP WITH TIME ZONE: When it was created
-- column expires_at TIMESTAMP WITH TIME ZONE: When it expires
-- column observed_at TIMESTAMP WITH TIME ZONE: Time of the latest observation
-- column age_seconds DOUBLE: Age of the run, in seconds
-- column unseen_seconds DOUBLE: Age of the latest observation, in seconds; the run may have ended since
-- column is_overdue BOOLEAN: Whether it should have expired by now; null when unknown
select
    run_id,
    source,
    thread_id,
    assistant_id,
    model,
    status,
    created_at,
    expires_at,
    observed_at,
    seconds_between(created_at, current_timestamp) as age_seconds,
    seconds_between(observed_at, current_timestamp) as unseen_seconds,
    expires_at < current_timestamp as is_overdue
from runs
where coalesce(status, '') not in ('completed', 'failed', 'cancelled', 'expired', 'incomplete')
