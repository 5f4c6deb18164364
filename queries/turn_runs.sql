-- purpose: Which turn each run belongs to. A run is a turn of its own, and so is a chat completion or a request of a gateway, which nothing links. A response goes on with the turn of the response whose calls it answers: its previous response, or the one before it in its conversation, of the same source, if that waits for its client. Two responses that answer the same calls belong to the same turn.
-- grain: one row per run
-- column run_id VARCHAR: The run or response
-- column turn_id VARCHAR: The turn: the run_id of its first response, or of the run
-- column source VARCHAR: Label of the run (--source): its organisation, project or server
-- column object VARCHAR: The kind of object, such as thread.run or response
-- column predecessor_id VARCHAR: The response whose calls this one answers; null where it begins the turn
-- column linked_by VARCHAR: How that is known: previous_response or conversation; null where it begins the turn
-- column is_linked BOOLEAN: Whether its turn holds other responses
-- column is_answered BOOLEAN: Whether a response of the warehouse answers the calls of this one
-- column is_predecessor_missing BOOLEAN: Whether it names a previous response that the warehouse does not hold, so that it may belong to an earlier turn
-- column turn_created_at TIMESTAMP WITH TIME ZONE: When the first of the turn was created
-- column is_waiting BOOLEAN: Whether it waits for its client: a response or chat completion whose calls nobody is known to have answered, or a run in requires_action
with recursive responses as (
    select
        run_id,
        source,
        previous_run_id,
        created_at,
        coalesce(waits_for_client, false) as waits_for_client,
        -- Within a second, the order is not known: most likely a call, then its answer.
        case when thread_id is not null and created_at is not null then lag(run_id) over conversation end
            as earlier_run_id,
        lag(coalesce(waits_for_client, false)) over conversation as earlier_waits,
        lag(created_at) over conversation as earlier_created_at
    from runs
    where object = 'response'
    window conversation as (
        partition by source, thread_id
        order by created_at nulls first, case when waits_for_client then 0 else 1 end, run_id
    )
),

-- The source is no key of the join: Spark 4.3 fails to prune partitions by it within a recursive query.
linked_responses as (
    select
        responses.run_id,
        responses.created_at,
        responses.previous_run_id is not null and coalesce(predecessors.source <> responses.source, true)
            as is_predecessor_missing,
        case
            when predecessors.waits_for_client
                and predecessors.source = responses.source
                and predecessors.run_id <> responses.run_id
                then predecessors.run_id
            when responses.previous_run_id is null and responses.earlier_waits and responses.earlier_created_at is not null
                then responses.earlier_run_id
        end as predecessor_id,
        case when responses.previous_run_id is null then 'conversation' else 'previous_response' end as linked_by
    from responses
    left join responses as predecessors on predecessors.run_id = responses.previous_run_id
),

-- Responses that name each other in a circle are not reached: each is a turn of its own.
members as (
    select
        run_id,
        run_id as turn_id,
        created_at as turn_created_at,
        cast(null as string) as predecessor_id,
        cast(null as string) as linked_by
    from linked_responses
    where predecessor_id is null
    union all
    select
        linked_responses.run_id,
        members.turn_id,
        members.turn_created_at,
        linked_responses.predecessor_id,
        linked_responses.linked_by
    from members
    inner join linked_responses on linked_responses.predecessor_id = members.run_id
),

answered_responses as (
    select distinct predecessor_id as run_id
    from linked_responses
    where predecessor_id is not null
),

unknown_beginnings as (
    select run_id
    from linked_responses
    where is_predecessor_missing
)

select
    runs.run_id,
    coalesce(members.turn_id, runs.run_id) as turn_id,
    runs.source,
    runs.object,
    members.predecessor_id,
    members.linked_by,
    members.predecessor_id is not null or (members.run_id is not null and answered_responses.run_id is not null)
        as is_linked,
    answered_responses.run_id is not null as is_answered,
    unknown_beginnings.run_id is not null as is_predecessor_missing,
    case when members.run_id is not null then members.turn_created_at else runs.created_at end as turn_created_at,
    case
        when runs.object = 'response'
            then coalesce(runs.waits_for_client, false) and answered_responses.run_id is null
        else coalesce(runs.waits_for_client, false) or coalesce(runs.status = 'requires_action', false)
    end as is_waiting
from runs
left join members on members.run_id = runs.run_id
left join answered_responses on answered_responses.run_id = runs.run_id
left join unknown_beginnings on unknown_beginnings.run_id = runs.run_id
