-- purpose: Which turn each run belongs to. A run is a turn of its own, and so is a chat completion, which no id links to the next. A response goes on with the turn of the response whose calls it answers: its previous response, or the one before it in its conversation, of the same source, if that waits for its client. Two responses that answer the same calls belong to the same turn.
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
-- column is_waiting BOOLEAN: Whether it waits for its client: a response or chat completion whose calls nobody is known to have answered, or a run in requires_action
with recursive responses as (
    select
        run_id,
        source,
        thread_id,
        previous_run_id,
        created_at,
        coalesce(waits_for_client, false) as waits_for_client
    from runs
    where object = 'response'
),

-- Within a second, the order is not known: most likely a call, then its answer.
conversations as (
    select
        run_id,
        previous_run_id,
        lag(run_id) over conversation as earlier_id,
        lag(waits_for_client) over conversation as earlier_waits
    from responses
    where thread_id is not null and created_at is not null
    window conversation as (
        partition by source, thread_id
        order by created_at, case when waits_for_client then 0 else 1 end, run_id
    )
),

links as (
    select
        responses.run_id,
        predecessors.run_id as predecessor_id,
        'previous_response' as linked_by
    from responses
    inner join responses as predecessors
        on predecessors.run_id = responses.previous_run_id and predecessors.source = responses.source
    where predecessors.waits_for_client and predecessors.run_id <> responses.run_id
    union all
    select
        run_id,
        earlier_id as predecessor_id,
        'conversation' as linked_by
    from conversations
    where previous_run_id is null and earlier_waits
),

beginnings as (
    select distinct links.predecessor_id as run_id
    from links
    left join links as earlier_links on earlier_links.run_id = links.predecessor_id
    where earlier_links.run_id is null
),

-- Responses that name each other in a circle are not reached from a beginning: each is a turn of its own.
members as (
    select
        run_id,
        run_id as turn_id,
        cast(null as string) as predecessor_id,
        cast(null as string) as linked_by
    from beginnings
    union all
    select
        links.run_id,
        members.turn_id,
        links.predecessor_id,
        links.linked_by
    from members
    inner join links on links.predecessor_id = members.run_id
),

answered_responses as (
    select distinct predecessor_id as run_id
    from links
),

missing_predecessors as (
    select responses.run_id
    from responses
    left join responses as predecessors
        on predecessors.run_id = responses.previous_run_id and predecessors.source = responses.source
    where responses.previous_run_id is not null and predecessors.run_id is null
)

select
    runs.run_id,
    coalesce(members.turn_id, runs.run_id) as turn_id,
    runs.source,
    runs.object,
    members.predecessor_id,
    members.linked_by,
    members.run_id is not null as is_linked,
    answered_responses.run_id is not null as is_answered,
    missing_predecessors.run_id is not null as is_predecessor_missing,
    case
        when runs.object in ('response', 'chat.completion')
            then coalesce(runs.waits_for_client, false) and answered_responses.run_id is null
        else coalesce(runs.status = 'requires_action', false)
    end as is_waiting
from runs
left join members on members.run_id = runs.run_id
left join answered_responses on answered_responses.run_id = runs.run_id
left join missing_predecessors on missing_predecessors.run_id = runs.run_id
