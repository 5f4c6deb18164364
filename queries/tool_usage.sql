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
with offered as (
    select distinct
        run_id,
        type,
        name
    from tools
),

with_tool as (
    select
        offered.type,
        offered.name,
        run_times.model,
        count(*) as runs,
        count(distinct run_times.assistant_id) as assistants,
        count(*) filter (where run_times.is_terminal) as terminal_runs,
        count(*) filter (where run_times.is_failure) as failures
    from offered
    inner join run_times on run_times.run_id = offered.run_id
    group by offered.type, offered.name, run_times.model
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
