-- purpose: Which turns belong to which deployment, before or after its migration, by the rules in the table deployments. They apply to the first run of a turn. Turns that no rule matches have no row.
-- grain: one row per deployment and turn
-- column deployment VARCHAR: Name of the deployment
-- column side VARCHAR: before or after; a turn that rules of both sides match is before when it is a run, after when it is responses
-- column turn_id VARCHAR: The turn
-- column is_shared BOOLEAN: Whether another deployment has the turn on the same side, so that it is counted in both
with beginnings as (
    select
        turn_runs.turn_id,
        runs.source,
        runs.created_at,
        case when runs.object = 'response' then 'after' else 'before' end as own_side,
        runs.assistant_id,
        case when runs.object = 'response' then runs.assistant_id end as agent_id,
        runs.model,
        runs.metadata,
        runs.instructions
    from turn_runs
    inner join runs on runs.run_id = turn_runs.turn_id
    where turn_runs.run_id = turn_runs.turn_id
),

metadata_keys as (
    select distinct
        match_kind,
        substring(match_kind, 10) as name
    from deployments
    where matches_pattern(match_kind, 'metadata:%')
),

known_instructions as (
    select distinct instructions
    from beginnings
    where instructions is not null
),

instructions_rules as (
    select distinct
        deployments.match_value,
        known_instructions.instructions
    from deployments
    inner join known_instructions on normalised_digest(known_instructions.instructions) = deployments.match_value
    where deployments.match_kind = 'instructions_digest'
),

values_of_turns as (
    select
        turn_id,
        source,
        created_at,
        own_side,
        'assistant_id' as match_kind,
        assistant_id as match_value
    from beginnings
    union all
    select
        turn_id,
        source,
        created_at,
        own_side,
        'agent_name' as match_kind,
        agent_id as match_value
    from beginnings
    union all
    select
        turn_id,
        source,
        created_at,
        own_side,
        'prompt_id' as match_kind,
        agent_id as match_value
    from beginnings
    union all
    select
        turn_id,
        source,
        created_at,
        own_side,
        'model' as match_kind,
        model as match_value
    from beginnings
    union all
    select
        beginnings.turn_id,
        beginnings.source,
        beginnings.created_at,
        beginnings.own_side,
        metadata_keys.match_kind,
        json_text(beginnings.metadata, metadata_keys.name) as match_value
    from beginnings
    cross join metadata_keys
    where beginnings.metadata is not null
    union all
    select
        beginnings.turn_id,
        beginnings.source,
        beginnings.created_at,
        beginnings.own_side,
        'instructions_digest' as match_kind,
        instructions_rules.match_value
    from beginnings
    inner join instructions_rules on instructions_rules.instructions = beginnings.instructions
),

matched_turns as (
    select
        deployments.deployment,
        values_of_turns.turn_id,
        case
            when min(deployments.side) = max(deployments.side) then min(deployments.side)
            else min(values_of_turns.own_side)
        end as side
    from deployments
    inner join values_of_turns
        on values_of_turns.match_kind = deployments.match_kind
        and values_of_turns.match_value = deployments.match_value
    where (deployments.source is null or deployments.source = values_of_turns.source)
        and (deployments.valid_from is null or values_of_turns.created_at >= deployments.valid_from)
        and (deployments.valid_to is null or values_of_turns.created_at < deployments.valid_to)
    group by deployments.deployment, values_of_turns.turn_id
),

shared_turns as (
    select
        turn_id,
        side
    from matched_turns
    group by turn_id, side
    having count(*) > 1
)

select
    matched_turns.deployment,
    matched_turns.side,
    matched_turns.turn_id,
    shared_turns.turn_id is not null as is_shared
from matched_turns
left join shared_turns
    on shared_turns.turn_id = matched_turns.turn_id and shared_turns.side = matched_turns.side
