-- purpose: Failures over time, by status and code. Failures of synchronous requests leave no response, and are not counted; those that left a record are in request_failures.
-- grain: one row per period, status and code with failed, expired or incomplete runs
-- column period TIMESTAMP: Start of the period (UTC) in which the runs were created: a day, unless Warehouse.within sets another interval; null is a group of its own
-- column status VARCHAR: failed, expired or incomplete
-- column code VARCHAR: Code of the last error, else the reason why it is incomplete; null when unknown
-- column runs BIGINT: Number of runs
with failures as (
    select
        run_id,
        status,
        period_of(created_at) as period
    from run_times
    where is_failure
),

failure_codes as (
    select
        errors.run_id,
        coalesce(
            max(errors.code) filter (where errors.kind = 'last_error'),
            max(errors.code) filter (where errors.kind = 'incomplete_details')
        ) as code
    from errors
    group by errors.run_id
)

select
    failures.period,
    failures.status,
    failure_codes.code,
    count(*) as runs
from failures
left join failure_codes on failure_codes.run_id = failures.run_id
group by failures.period, failures.status, failure_codes.code
