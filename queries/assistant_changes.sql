-- purpose: Changes of an assistant's model, instructions or tools between consecutive runs, with latency, failures and cost of the runs before and after. Alternating runs count as one change each. Failures of synchronous requests leave no response, and are not counted; those that left a record are in request_failures.
-- grain: one row per source, assistant and change
-- column source VARCHAR: Label of the run (--source): its organisation, project or server
-- column assistant_id VARCHAR: The assistant
-- column changed_at TIMESTAMP WITH TIME ZONE: When the first run after the change was created
-- column is_model_changed BOOLEAN: Whether the model changed
-- column are_instructions_changed BOOLEAN: Whether the instructions changed
-- column are_tools_changed BOOLEAN: Whether the tools or their order changed
-- column model_before VARCHAR: Model before the change
-- column model_after VARCHAR: Model after the change
-- column runs_before BIGINT: Runs between the previous change and this one
-- column runs_after BIGINT: Runs between this change and the next one
-- column failure_rate_before DOUBLE: Failure rate of the ended runs before, 0 to 1
-- column failure_rate_after DOUBLE: The same for the runs after
-- column run_seconds_p50_before DOUBLE: Median of run_seconds, as in run_times, of the completed runs before
-- column run_seconds_p50_after DOUBLE: The same for the runs after
-- column cost_per_run_before DOUBLE: Mean cost of the priced runs before; null when they have more than one currency
-- column cost_per_run_after DOUBLE: The same for the runs after
with versions as (
    select distinct
        source,
        assistant_id,
        model,
        tools_digest,
        text_digest(instructions) as instructions
    from runs
    where assistant_id is not null and created_at is not null
),

changed_assistants as (
    select
        source,
        assistant_id
    from versions
    group by source, assistant_id
    having count(*) > 1
),

changed_runs as (
    select
        runs.run_id,
        runs.source,
        runs.assistant_id,
        runs.created_at,
        runs.model,
        runs.tools_digest as tools,
        text_digest(runs.instructions) as instructions
    from runs
    inner join changed_assistants
        on changed_assistants.source = runs.source and changed_assistants.assistant_id = runs.assistant_id
    where runs.created_at is not null
),

ordered_runs as (
    select
        changed_runs.*,
        lag(changed_runs.run_id) over assistant_runs as previous_run_id,
        lag(changed_runs.model) over assistant_runs as previous_model,
        lag(changed_runs.instructions) over assistant_runs as previous_instructions,
        lag(changed_runs.tools) over assistant_runs as previous_tools
    from changed_runs
    window assistant_runs as (
        partition by changed_runs.source, changed_runs.assistant_id
        order by changed_runs.created_at, changed_runs.run_id
    )
),

compared_runs as (
    select
        *,
        previous_run_id is not null and model is distinct from previous_model as is_model_changed,
        previous_run_id is not null and instructions is distinct from previous_instructions as are_instructions_changed,
        previous_run_id is not null and tools is distinct from previous_tools as are_tools_changed
    from ordered_runs
),

numbered_runs as (
    select
        *,
        sum(case when is_model_changed or are_instructions_changed or are_tools_changed then 1 else 0 end) over (
            partition by source, assistant_id
            order by created_at, run_id
            rows between unbounded preceding and current row
        ) as stretch
    from compared_runs
),

stretches as (
    select
        numbered_runs.source,
        numbered_runs.assistant_id,
        numbered_runs.stretch,
        min(numbered_runs.created_at) as changed_at,
        max(numbered_runs.model) as model,
        bool_or(numbered_runs.is_model_changed) as is_model_changed,
        bool_or(numbered_runs.are_instructions_changed) as are_instructions_changed,
        bool_or(numbered_runs.are_tools_changed) as are_tools_changed,
        count(*) as runs,
        cast(count(*) filter (where run_times.is_failure) as double)
            / cast(nullif(count(*) filter (where run_times.is_terminal), 0) as double) as failure_rate,
        percentile_cont(0.5) within group (
            order by case when run_times.status = 'completed' then run_times.run_seconds end
        ) as run_seconds_p50,
        case when min(run_costs.currency) filter (where run_costs.is_priced)
            = max(run_costs.currency) filter (where run_costs.is_priced)
            then cast(sum(cast(run_costs.cost as decimal(38, 12))) as double) / count(run_costs.cost)
        end as cost_per_run
    from numbered_runs
    inner join run_times on run_times.run_id = numbered_runs.run_id
    left join run_costs on run_costs.run_id = numbered_runs.run_id
    group by numbered_runs.source, numbered_runs.assistant_id, numbered_runs.stretch
)

select
    later.source,
    later.assistant_id,
    later.changed_at,
    later.is_model_changed,
    later.are_instructions_changed,
    later.are_tools_changed,
    earlier.model as model_before,
    later.model as model_after,
    earlier.runs as runs_before,
    later.runs as runs_after,
    earlier.failure_rate as failure_rate_before,
    later.failure_rate as failure_rate_after,
    earlier.run_seconds_p50 as run_seconds_p50_before,
    later.run_seconds_p50 as run_seconds_p50_after,
    earlier.cost_per_run as cost_per_run_before,
    later.cost_per_run as cost_per_run_after
from stretches as later
inner join stretches as earlier
    on earlier.source = later.source
    and earlier.assistant_id = later.assistant_id
    and earlier.stretch = later.stretch - 1
