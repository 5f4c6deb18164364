-- purpose: Which turns belong to which deployment, before or after its migration, by the rules in the table deployments. They apply to the first run of a turn. Turns that no rule matches have no row.
-- grain: one row per deployment and turn
-- column deployment VARCHAR: Name of the deployment
-- column side VARCHAR: before or after; a turn that rules of both sides match is before when it is a run, after when it is responses
-- column turn_id VARCHAR: The turn
-- column is_shared BOOLEAN: Whether another deployment has the turn on the same side, so that it is counted in both
with match_kinds as (
    select distinct match_kind
    from deployments
),

-- Digests are of different instructions, not of all runs, and only where a rule needs them.
digests as (
    select
        known_instructions.instructions,
        normalised_digest(known_instructions.instructions) as digest
    from (
        select distinct runs.instructions
        from runs
        inner join match_kinds on match_kinds.match_kind = 'instructions_digest'
        where runs.instructions is not null
    ) as known_instructions
),

beginnings as (
    select
        turn_runs.turn_id,
        runs.source,
        runs.created_at,
        case when runs.object = 'response' then 'after' else 'before' end as own_side,
        match_kinds.match_kind,
        case
            when match_kinds.match_kind = 'assistant_id' then runs.assistant_id
            when match_kinds.match_kind in ('agent_name', 'prompt_id')
                then case when runs.object = 'response' then runs.assistant_id end
            when match_kinds.match_kind = 'model' then runs.model
            when match_kinds.match_kind = 'instructions_digest' then digests.digest
            when matches_pattern(match_kinds.match_kind, 'metadata:%')
                then json_text(runs.metadata, substring(match_kinds.match_kind, 10))
        end as match_value
    from turn_runs
    inner join runs on runs.run_id = turn_runs.turn_id
    cross join match_kinds
    left join digests on digests.instructions = runs.instructions
    where turn_runs.run_id = turn_runs.turn_id
),

matched_turns as (
    select
        deployments.deployment,
        beginnings.turn_id,
        case
            when min(deployments.side) = max(deployments.side) then min(deployments.side)
            else min(beginnings.own_side)
        end as side
    from deployments
    inner join beginnings
        on beginnings.match_kind = deployments.match_kind and beginnings.match_value = deployments.match_value
    where (deployments.source is null or deployments.source = beginnings.source)
        and (deployments.valid_from is null or beginnings.created_at >= deployments.valid_from)
        and (deployments.valid_to is null or beginnings.created_at < deployments.valid_to)
    group by deployments.deployment, beginnings.turn_id
)

select
    deployment,
    side,
    turn_id,
    count(*) over (partition by turn_id, side) > 1 as is_shared
from matched_turns
