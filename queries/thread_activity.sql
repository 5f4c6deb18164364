-- purpose: Activity of threads: runs, failures, time range and tokens. Failures of synchronous requests leave no response, and are not counted; those that left a record are in request_failures.
-- grain: one row per source and thread
-- column source VARCHAR: Label of the runs (--source)
-- column thread_id VARCHAR: The thread; null is a group of its own
-- column runs BIGINT: Runs, open ones included
-- column open_runs BIGINT: Runs that have not ended
-- column failures BIGINT: Failed, expired and incomplete runs
-- column assistants BIGINT: Number of assistants
-- column first_run_at TIMESTAMP WITH TIME ZONE: Creation time of its first run
-- column last_run_at TIMESTAMP WITH TIME ZONE: Creation time of its last run
-- column total_tokens BIGINT: Sum of the totals as sent; null when no run reports them
-- column run_seconds DOUBLE: Sum of run_seconds, as in run_times; null when no run has them
select
    run_times.source,
    run_times.thread_id,
    count(*) as runs,
    count(*) filter (where not coalesce(run_times.is_terminal, false)) as open_runs,
    count(*) filter (where run_times.is_failure) as failures,
    count(distinct run_times.assistant_id) as assistants,
    min(run_times.created_at) as first_run_at,
    max(run_times.created_at) as last_run_at,
    try_cast(sum(usage.total_tokens) as bigint) as total_tokens,
    sum(run_times.run_seconds) as run_seconds
from run_times
left join usage on usage.run_id = run_times.run_id
group by run_times.source, run_times.thread_id
