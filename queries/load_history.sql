-- purpose: Load history: counts and throughput.
-- grain: one row per load
-- column load_id BIGINT: Number of the load, from 1
-- column command VARCHAR: The command
-- column source VARCHAR: Label of the runs (--source)
-- column started_at TIMESTAMP WITH TIME ZONE: Start time
-- column finished_at TIMESTAMP WITH TIME ZONE: End time; null while it runs, or when it was killed
-- column state VARCHAR: running, done, done with rejects, failed, interrupted or killed
-- column seconds DOUBLE: Duration up to the last commit, in seconds
-- column inputs BIGINT: Inputs read completely
-- column observations BIGINT: Observations of runs: new, updated and unchanged
-- column new_runs BIGINT: Runs inserted
-- column updated_runs BIGINT: Updates of runs by a later observation
-- column unchanged BIGINT: Observations that changed nothing
-- column rejected BIGINT: Items that could not be decoded (rejects)
-- column steps BIGINT: Observations of run steps
-- column reject_rate DOUBLE: Rejects over observations and rejects, 0 to 1; null for an empty load
-- column observations_per_second DOUBLE: Observations per second
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
