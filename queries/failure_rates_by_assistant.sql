-- purpose: Failure rates per assistant, with the 95% confidence interval (Wilson score). Failures of synchronous requests leave no response, so that these rates do not see them; those that left a record are in request_failures.
-- grain: one row per assistant
-- column assistant_id VARCHAR: The assistant; null is a group of its own
-- column runs BIGINT: Runs, open ones included
-- column terminal_runs BIGINT: Runs that have ended
-- column completed BIGINT: ... completed
-- column failed BIGINT: ... failed
-- column expired BIGINT: ... expired
-- column incomplete BIGINT: ... incomplete: stopped at a limit
-- column cancelled BIGINT: ... cancelled
-- column failure_rate DOUBLE: Failed, expired and incomplete runs over ended runs, 0 to 1; null without ended runs
-- column failure_rate_low DOUBLE: Lower bound of the interval, 0 to 1
-- column failure_rate_high DOUBLE: Upper bound of the interval, 0 to 1
with run_counts as (
    select
        assistant_id,
        count(*) as runs,
        count(*) filter (where is_terminal) as terminal_runs,
        count(*) filter (where status = 'completed') as completed,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'expired') as expired,
        count(*) filter (where status = 'incomplete') as incomplete,
        count(*) filter (where status = 'cancelled') as cancelled
    from run_times
    group by assistant_id
),

failure_shares as (
    select
        run_counts.*,
        cast(nullif(terminal_runs, 0) as double) as trials,
        cast(failed + expired + incomplete as double) / cast(nullif(terminal_runs, 0) as double) as failure_rate,
        cast(1.959963984540054 as double) as z
    from run_counts
),

interval_parts as (
    select
        failure_shares.*,
        1 + z * z / trials as scale,
        failure_rate + z * z / (2 * trials) as center,
        z * sqrt(failure_rate * (1 - failure_rate) / trials + z * z / (4 * trials * trials)) as margin
    from failure_shares
)

select
    assistant_id,
    runs,
    terminal_runs,
    completed,
    failed,
    expired,
    incomplete,
    cancelled,
    failure_rate,
    case when center is not null then greatest((center - margin) / scale, cast(0 as double)) end as failure_rate_low,
    case when center is not null then least((center + margin) / scale, cast(1 as double)) end as failure_rate_high
from interval_parts
