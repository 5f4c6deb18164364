-- purpose: Histogram of the durations of completed runs; bin width grows with the duration.
-- grain: one row per duration and bin with runs
-- column duration VARCHAR: queue_seconds, run_seconds or total_seconds
-- column from_seconds DOUBLE: Lower bound of the bin, included
-- column to_seconds DOUBLE: Upper bound of the bin, excluded; null for the last bin
-- column runs BIGINT: Completed runs in the bin; runs without a duration are excluded
-- column share DOUBLE: Share of completed runs with a duration, 0 to 1
with completed_runs as (
    select
        queue_seconds,
        run_seconds,
        total_seconds,
        count(*) as runs
    from run_times
    where status = 'completed'
    group by queue_seconds, run_seconds, total_seconds
),

durations as (
    select 'queue_seconds' as duration, queue_seconds as seconds, runs from completed_runs
    union all
    select 'run_seconds' as duration, run_seconds as seconds, runs from completed_runs
    union all
    select 'total_seconds' as duration, total_seconds as seconds, runs from completed_runs
),

distinct_durations as (
    select
        duration,
        seconds,
        sum(runs) as runs
    from durations
    where seconds is not null
    group by duration, seconds
),

classes as (
    select * from (values
        (0e0, 1e0),
        (1e0, 2e0),
        (2e0, 3e0),
        (3e0, 4e0),
        (4e0, 5e0),
        (5e0, 6e0),
        (6e0, 8e0),
        (8e0, 10e0),
        (10e0, 12e0),
        (12e0, 15e0),
        (15e0, 20e0),
        (20e0, 25e0),
        (25e0, 30e0),
        (30e0, 40e0),
        (40e0, 50e0),
        (50e0, 60e0),
        (60e0, 80e0),
        (80e0, 100e0),
        (100e0, 120e0),
        (120e0, 150e0),
        (150e0, 200e0),
        (200e0, 250e0),
        (250e0, 300e0),
        (300e0, 400e0),
        (400e0, 500e0),
        (500e0, 600e0),
        (600e0, 900e0),
        (900e0, 1200e0),
        (1200e0, 1800e0),
        (1800e0, 3600e0),
        (3600e0, cast(null as double))
    ) as edges (from_seconds, to_seconds)
)

select
    distinct_durations.duration,
    classes.from_seconds,
    classes.to_seconds,
    cast(sum(distinct_durations.runs) as bigint) as runs,
    cast(sum(distinct_durations.runs) as double)
        / cast(sum(sum(distinct_durations.runs)) over (partition by distinct_durations.duration) as double) as share
from distinct_durations
inner join classes
    on distinct_durations.seconds >= classes.from_seconds
    and (distinct_durations.seconds < classes.to_seconds or classes.to_seconds is null)
group by distinct_durations.duration, classes.from_seconds, classes.to_seconds
