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
    select cast(from_seconds as double) as from_seconds, cast(to_seconds as double) as to_seconds
    from (values
        (0, 1),
        (1, 2),
        (2, 3),
        (3, 4),
        (4, 5),
        (5, 6),
        (6, 8),
        (8, 10),
        (10, 12),
        (12, 15),
        (15, 20),
        (20, 25),
        (25, 30),
        (30, 40),
        (40, 50),
        (50, 60),
        (60, 80),
        (80, 100),
        (100, 120),
        (120, 150),
        (150, 200),
        (200, 250),
        (250, 300),
        (300, 400),
        (400, 500),
        (500, 600),
        (600, 900),
        (900, 1200),
        (1200, 1800),
        (1800, 3600),
        (3600, null)
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
