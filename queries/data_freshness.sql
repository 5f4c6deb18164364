-- purpose: Data freshness: when runs of each source were last created, observed, loaded and pulled.
-- grain: one row per source
-- column source VARCHAR: Label of the runs (--source)
-- column runs BIGINT: Runs of the source
-- column open_runs BIGINT: ... of which open
-- column last_created_at TIMESTAMP WITH TIME ZONE: Creation time of its newest run; implausible times are left out (see runmart check)
-- column last_observed_at TIMESTAMP WITH TIME ZONE: Time of the latest observation
-- column last_load_at TIMESTAMP WITH TIME ZONE: Start of the last load of this source
-- column last_load_state VARCHAR: State of that load
-- column created_seconds_ago DOUBLE: Age of its newest run, in seconds
-- column observed_seconds_ago DOUBLE: Age of the latest observation, in seconds
-- column is_pulled BOOLEAN: Whether `runmart pull` reads the source
-- column last_pull_at TIMESTAMP WITH TIME ZONE: End of the last complete pull, with new runs or without; null if there was none
-- column pulled_seconds_ago DOUBLE: Time since then, in seconds
with latest_loads as (
    select
        source,
        started_at,
        state,
        row_number() over (partition by source order by load_id desc) as place
    from book_of_loads()
),

source_runs as (
    select
        source,
        count(*) as runs,
        count(*) filter (
            where coalesce(status, '') not in ('completed', 'failed', 'cancelled', 'expired', 'incomplete')
        ) as open_runs,
        coalesce(max(plausible_instant(created_at, observed_at)), max(created_at)) as last_created_at,
        max(observed_at) as last_observed_at
    from runs
    group by source
),

pulls as (
    select
        source,
        pulled_at
    from book_of_sources()
)

select
    coalesce(source_runs.source, pulls.source) as source,
    coalesce(source_runs.runs, 0) as runs,
    coalesce(source_runs.open_runs, 0) as open_runs,
    source_runs.last_created_at,
    source_runs.last_observed_at,
    latest_loads.started_at as last_load_at,
    latest_loads.state as last_load_state,
    seconds_between(source_runs.last_created_at, current_timestamp) as created_seconds_ago,
    seconds_between(source_runs.last_observed_at, current_timestamp) as observed_seconds_ago,
    pulls.source is not null as is_pulled,
    pulls.pulled_at as last_pull_at,
    seconds_between(pulls.pulled_at, current_timestamp) as pulled_seconds_ago
from source_runs
full join pulls on pulls.source = source_runs.source
left join latest_loads on latest_loads.source = coalesce(source_runs.source, pulls.source) and latest_loads.place = 1
