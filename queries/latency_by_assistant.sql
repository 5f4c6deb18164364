-- purpose: Latency of completed runs per assistant. Percentiles are interpolated linearly; runs without a duration are excluded and counted. Of responses, run_seconds and total_seconds are the measured duration, else from created to finished, and queue_seconds are unknown.
-- grain: one row per assistant with a completed run
-- column assistant_id VARCHAR: The assistant; null is a group of its own
-- column runs BIGINT: Completed runs
-- column queue_seconds_p50 DOUBLE: Median of the seconds from created to started
-- column queue_seconds_p75 DOUBLE: 75th percentile of the seconds from created to started
-- column queue_seconds_p90 DOUBLE: 90th percentile of the seconds from created to started
-- column queue_seconds_p95 DOUBLE: 95th percentile of the seconds from created to started
-- column queue_seconds_p99 DOUBLE: 99th percentile of the seconds from created to started
-- column queue_seconds_max DOUBLE: Maximum of the seconds from created to started
-- column run_seconds_p50 DOUBLE: Median of the seconds from started to finished
-- column run_seconds_p75 DOUBLE: 75th percentile of the seconds from started to finished
-- column run_seconds_p90 DOUBLE: 90th percentile of the seconds from started to finished
-- column run_seconds_p95 DOUBLE: 95th percentile of the seconds from started to finished
-- column run_seconds_p99 DOUBLE: 99th percentile of the seconds from started to finished
-- column run_seconds_max DOUBLE: Maximum of the seconds from started to finished
-- column total_seconds_p50 DOUBLE: Median of the seconds from created to finished
-- column total_seconds_p75 DOUBLE: 75th percentile of the seconds from created to finished
-- column total_seconds_p90 DOUBLE: 90th percentile of the seconds from created to finished
-- column total_seconds_p95 DOUBLE: 95th percentile of the seconds from created to finished
-- column total_seconds_p99 DOUBLE: 99th percentile of the seconds from created to finished
-- column total_seconds_max DOUBLE: Maximum of the seconds from created to finished
-- column queue_seconds_missing BIGINT: Completed runs without the seconds from created to started, or with negative ones
-- column run_seconds_missing BIGINT: Completed runs without the seconds from started to finished, or with negative ones
-- column total_seconds_missing BIGINT: Completed runs without the seconds from created to finished, or with negative ones
-- column resolution_seconds DOUBLE: Coarsest resolution of the timed runs: 1 when some are timed in whole seconds, else 0.001; null when none is timed
with completed_runs as (
    select
        assistant_id,
        queue_seconds,
        run_seconds,
        total_seconds,
        resolution_seconds
    from run_times
    where status = 'completed'
)

select
    assistant_id,
    count(*) as runs,
    percentile_cont(0.5) within group (order by queue_seconds) as queue_seconds_p50,
    percentile_cont(0.75) within group (order by queue_seconds) as queue_seconds_p75,
    percentile_cont(0.9) within group (order by queue_seconds) as queue_seconds_p90,
    percentile_cont(0.95) within group (order by queue_seconds) as queue_seconds_p95,
    percentile_cont(0.99) within group (order by queue_seconds) as queue_seconds_p99,
    max(queue_seconds) as queue_seconds_max,
    percentile_cont(0.5) within group (order by run_seconds) as run_seconds_p50,
    percentile_cont(0.75) within group (order by run_seconds) as run_seconds_p75,
    percentile_cont(0.9) within group (order by run_seconds) as run_seconds_p90,
    percentile_cont(0.95) within group (order by run_seconds) as run_seconds_p95,
    percentile_cont(0.99) within group (order by run_seconds) as run_seconds_p99,
    max(run_seconds) as run_seconds_max,
    percentile_cont(0.5) within group (order by total_seconds) as total_seconds_p50,
    percentile_cont(0.75) within group (order by total_seconds) as total_seconds_p75,
    percentile_cont(0.9) within group (order by total_seconds) as total_seconds_p90,
    percentile_cont(0.95) within group (order by total_seconds) as total_seconds_p95,
    percentile_cont(0.99) within group (order by total_seconds) as total_seconds_p99,
    max(total_seconds) as total_seconds_max,
    count(*) - count(queue_seconds) as queue_seconds_missing,
    count(*) - count(run_seconds) as run_seconds_missing,
    count(*) - count(total_seconds) as total_seconds_missing,
    max(resolution_seconds) as resolution_seconds
from completed_runs
group by assistant_id
