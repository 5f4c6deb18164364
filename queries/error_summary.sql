-- purpose: Reasons of failures: count, share, time range and a sample message. Failures of synchronous requests leave no response, and are not counted; those that left a record are in request_failures.
-- grain: one row per status, code, model and assistant with failed, expired or incomplete runs
-- column status VARCHAR: failed, expired or incomplete
-- column code VARCHAR: Code of the last error, else the reason why it is incomplete; null when unknown
-- column model VARCHAR: Model, as sent
-- column assistant_id VARCHAR: The assistant
-- column runs BIGINT: Number of runs
-- column share DOUBLE: Share of all failed, expired and incomplete runs, 0 to 1
-- column first_at TIMESTAMP WITH TIME ZONE: Creation time of the first of these runs
-- column last_at TIMESTAMP WITH TIME ZONE: Creation time of the last of these runs
-- column sample_message VARCHAR: Sample message: the last one in alphabetical order
with run_errors as (
    select
        run_id,
        max(code) filter (where kind = 'last_error') as error_code,
        max(code) filter (where kind = 'incomplete_details') as incomplete_reason,
        max(message) filter (where kind = 'last_error') as message
    from errors
    group by run_id
),

failures as (
    select
        run_times.status,
        coalesce(run_errors.error_code, run_errors.incomplete_reason) as code,
        run_times.model,
        run_times.assistant_id,
        run_times.created_at,
        run_errors.message
    from run_times
    left join run_errors on run_errors.run_id = run_times.run_id
    where run_times.is_failure
),

reasons as (
    select
        status,
        code,
        model,
        assistant_id,
        count(*) as runs,
        min(created_at) as first_at,
        max(created_at) as last_at,
        max(message) as sample_message
    from failures
    group by status, code, model, assistant_id
)

select
    status,
    code,
    model,
    assistant_id,
    runs,
    cast(runs as double) / cast(sum(runs) over () as double) as share,
    first_at,
    last_at,
    sample_message
from reasons
