-- purpose: Runs that have not ended, as they were last seen; the overdue ones should have.
-- grain: one row per open run
-- column run_id VARCHAR: The run
-- column source VARCHAR: Which organisation, project or server it comes from
-- column thread_id VARCHAR: The thread it belongs to
-- column assistant_id VARCHAR: The assistant that runs
-- column model VARCHAR: The language model, as sent
-- column status VARCHAR: The status, as sent: queued, in_progress, requires_action, cancelling, or another
-- column created_at TIMESTAMP WITH TIME ZONE: When it was created
-- column expires_at TIMESTAMP WITH TIME ZONE: When it expires
-- column observed_at TIMESTAMP WITH TIME ZONE: When it was last seen so
-- column age_seconds DOUBLE: Seconds from created to now
-- column unseen_seconds DOUBLE: Seconds since it was last seen: it may have ended meanwhile
-- column is_overdue BOOLEAN: Whether it should have expired by now; null where that is not known
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
