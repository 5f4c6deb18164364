-- purpose: What loads did, and how quick they were.
-- grain: one row per load
-- column load_id BIGINT: Numbers the loads from 1
-- column command VARCHAR: What was run
-- column source VARCHAR: The label given with --source
-- column started_at TIMESTAMP WITH TIME ZONE: When it started
-- column finished_at TIMESTAMP WITH TIME ZONE: When it ended; null while it runs, or when it was killed
-- column state VARCHAR: running, done, done with rejects, failed, interrupted, killed
-- column seconds DOUBLE: How long it took so far
-- column inputs BIGINT: Inputs read to their end
-- column observations BIGINT: Runs seen: new, updated and unchanged ones
-- column new_runs BIGINT: Runs that were not there before
-- column updated_runs BIGINT: Times that a later observation changed a run
-- column unchanged BIGINT: Observations that told nothing new
-- column rejected BIGINT: Items that could not be decoded
-- column steps BIGINT: Steps of runs seen
-- column reject_rate DOUBLE: Share of the rejected in all that should have been runs, 0 to 1; null when there was nothing
-- column observations_per_second DOUBLE: Runs seen in a second
select
    load_id,
    command,
    source,
    started_at,
    finished_at,
    state,
    seconds,
    inputs,
    observations,
    new_runs,
    updated_runs,
    unchanged,
    rejected,
    steps,
    cast(rejected as double) / cast(nullif(observations + rejected, 0) as double) as reject_rate,
    cast(observations as double) / nullif(seconds, cast(0 as double)) as observations_per_second
from book_of_loads()
