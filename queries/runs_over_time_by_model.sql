-- purpose: Runs over time per model: count, outcome and latency of completed runs. Percentiles are interpolated linearly. Failures of synchronous requests leave no response, and are not counted; those that left a record are in request_failures.
-- grain: one row per period and model
-- column period TIMESTAMP: Start of the period (UTC) in which the runs were created: a day, unless Warehouse.within sets another interval; null is a group of its own
-- column model VARCHAR: Model, as sent; null is a group of its own
-- column runs BIGINT: Runs, open ones included
-- column terminal_runs BIGINT: Runs that have ended
-- column completed BIGINT: ... completed
-- column failed BIGINT: ... failed
-- column expired BIGINT: ... expired
-- column incomplete BIGINT: ... incomplete: stopped at a limit
-- column cancelled BIGINT: ... cancelled
-- column failure_rate DOUBLE: Failed, expired and incomplete runs over ended runs, 0 to 1; null without ended runs
-- column queue_seconds_p50 DOUBLE: Median of queue_seconds, as in run_times, of completed runs; null of responses
-- column queue_seconds_p95 DOUBLE: 95th percentile of these
-- column run_seconds_p50 DOUBLE: Median of run_seconds, as in run_times, of completed runs
-- column run_seconds_p90 DOUBLE: 90th percentile of these
-- column run_seconds_p95 DOUBLE: 95th percentile of these
-- column run_seconds_p99 DOUBLE: 99th percentile of these
with dated_runs as (
    select
        *,
        case when status = 'completed' then queue_seconds end as completed_queue_seconds,
        case when status = 'completed' then run_seconds end as completed_run_seconds,
        period_of(created_at) as period
    from run_times
)

select
    period,
    model,
    count(*) as runs,
    count(*) filter (where is_terminal) as terminal_runs,
    count(*) filter (where status = 'completed') as completed,
    count(*) filter (where status = 'failed') as failed,
    count(*) filter (where status = 'expired') as expired,
    count(*) filter (where status = 'incomplete') as incomplete,
    count(*) filter (where status = 'cancelled') as cancelled,
    cast(count(*) filter (where is_failure) as double)
        / cast(nullif(count(*) filter (where is_terminal), 0) as double) as failure_rate,
    percentile_cont(0.5) within group (order by completed_queue_seconds) as queue_seconds_p50,
    percentile_cont(0.95) within group (order by completed_queue_seconds) as queue_seconds_p95,
    percentile_cont(0.5) within group (order by completed_run_seconds) as run_seconds_p50,
    percentile_cont(0.9) within group (order by completed_run_seconds) as run_seconds_p90,
    percentile_cont(0.95) within group (order by completed_run_seconds) as run_seconds_p95,
    percentile_cont(0.99) within group (order by completed_run_seconds) as run_seconds_p99
from dated_runs
group by period, model
