-- purpose: What happens in threads: how many runs, since when, with what end and how many tokens.
-- grain: one row per source and thread
-- column source VARCHAR: Which organisation, project or server
-- column thread_id VARCHAR: The thread; null is a row of its own
-- column runs BIGINT: Runs, the open ones included
-- column open_runs BIGINT: Runs that have not ended
-- column failures BIGINT: Failed, expired and incomplete runs
-- column assistants BIGINT: Assistants that ran in it
-- column first_run_at TIMESTAMP WITH TIME ZONE: When its first run was created
-- column last_run_at TIMESTAMP WITH TIME ZONE: When its last run was created
-- column total_tokens BIGINT: Sum of the totals as sent; null when no run reports them
-- column run_seconds DOUBLE: Sum of the seconds from started to finished; null when no run has them
select
    run_times.source,
    run_times.thread_id,
    count(*) as runs,
    count(*) filter (where not coalesce(run_times.is_terminal, false)) as open_runs,
    count(*) filter (where run_times.is_failure) as failures,
    count(distinct run_times.assistant_id) as assistants,
    min(run_times.created_at) as first_run_at,
    max(run_times.created_at) as last_run_at,
    cast(sum(usage.total_tokens) as bigint) as total_tokens,
    sum(run_times.run_seconds) as run_seconds
from run_times
left join usage on usage.run_id = run_times.run_id
group by run_times.source, run_times.thread_id
