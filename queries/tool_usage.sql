-- purpose: Which tools runs are offered, and how often they fail with them and without.
-- grain: one row per type and name of a tool, and model
-- column type VARCHAR: The type of the tool
-- column name VARCHAR: Its name; null where it has none
-- column model VARCHAR: The language model, as sent; null is a row of its own
-- column runs BIGINT: Runs that were offered it
-- column assistants BIGINT: Assistants that offered it
-- column terminal_runs BIGINT: Runs with it that have ended
-- column failure_rate DOUBLE: Share of failed, expired and incomplete ones in these, 0 to 1; null when there are none
-- column terminal_runs_without BIGINT: Runs of the model without it that have ended
-- column failure_rate_without DOUBLE: Share of failed, expired and incomplete ones in these, 0 to 1; null when there are none
with repeated as (
    select distinct
        later.run_id,
        later.position
    from tools as later
    inner join tools as earlier
        on earlier.run_id = later.run_id
        and earlier.type is not distinct from later.type
        and earlier.name is not distinct from later.name
        and earlier.position < later.position
    where later.position > 0
),

offered as (
    select
        tools.run_id,
        tools.type,
        tools.name
    from tools
    left join repeated on repeated.run_id = tools.run_id and repeated.position = tools.position
    where repeated.run_id is null
),

of_assistant as (
    select
        offered.type,
        offered.name,
        run_times.model,
        run_times.assistant_id,
        count(*) as runs,
        count(*) filter (where run_times.is_terminal) as terminal_runs,
        count(*) filter (where run_times.is_failure) as failures
    from offered
    inner join run_times on run_times.run_id = offered.run_id
    group by offered.type, offered.name, run_times.model, run_times.assistant_id
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
