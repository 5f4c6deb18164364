-- purpose: Tools offered to runs, with the failure rates of runs with and without each tool. Failures of synchronous requests leave no response, and are not counted; those that left a record are in request_failures.
-- grain: one row per type and name of a tool, and model
-- column type VARCHAR: Type of the tool
-- column name VARCHAR: Name of the tool; null when it has none
-- column model VARCHAR: Model, as sent; null is a group of its own
-- column runs BIGINT: Runs that were offered the tool
-- column assistants BIGINT: Number of assistants with the tool
-- column terminal_runs BIGINT: Ended runs with the tool
-- column failure_rate DOUBLE: Failed, expired and incomplete runs over these, 0 to 1; null when there are none
-- column terminal_runs_without BIGINT: Ended runs of the model without the tool
-- column failure_rate_without DOUBLE: Failed, expired and incomplete runs over these, 0 to 1; null when there are none
with offering_runs as (
    select
        tools_digest,
        model,
        assistant_id,
        min(run_id) as run_id,
        count(*) as runs,
        count(*) filter (where is_terminal) as terminal_runs,
        count(*) filter (where is_failure) as failures
    from run_times
    where tools_digest is not null
    group by tools_digest, model, assistant_id
),

offered as (
    select distinct
        offering_runs.tools_digest,
        tools.type,
        tools.name
    from (select tools_digest, min(run_id) as run_id from offering_runs group by tools_digest) as offering_runs
    inner join tools on tools.run_id = offering_runs.run_id
),

of_assistant as (
    select
        offered.type,
        offered.name,
        offering_runs.model,
        offering_runs.assistant_id,
        sum(offering_runs.runs) as runs,
        sum(offering_runs.terminal_runs) as terminal_runs,
        sum(offering_runs.failures) as failures
    from offering_runs
    inner join offered on offered.tools_digest = offering_runs.tools_digest
    group by offered.type, offered.name, offering_runs.model, offering_runs.assistant_id
),

with_tool as (
    select
        type,
        name,
        model,
        cast(sum(runs) as bigint) as runs,
        count(distinct assistant_id) as assistants,
        cast(sum(terminal_runs) as bigint) as terminal_runs,
        cast(sum(failures) as bigint) as failures
    from of_assistant
    group by type, name, model
),

of_model as (
    select
        model,
        count(*) filter (where is_terminal) as terminal_runs,
        count(*) filter (where is_failure) as failures
    from run_times
    group by model
)

select
    with_tool.type,
    with_tool.name,
    with_tool.model,
    with_tool.runs,
    with_tool.assistants,
    with_tool.terminal_runs,
    cast(with_tool.failures as double) / cast(nullif(with_tool.terminal_runs, 0) as double) as failure_rate,
    of_model.terminal_runs - with_tool.terminal_runs as terminal_runs_without,
    cast(of_model.failures - with_tool.failures as double)
        / cast(nullif(of_model.terminal_runs - with_tool.terminal_runs, 0) as double) as failure_rate_without
from with_tool
inner join of_model on coalesce(of_model.model, '') = coalesce(with_tool.model, '')
    and (of_model.model is null) = (with_tool.model is null)
