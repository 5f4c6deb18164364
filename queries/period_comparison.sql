-- purpose: Week over week: measures of the seven days up to the newest run of a plausible time, and of the seven days before, with a two-sided significance test at 5%. Failures of synchronous requests leave no response, and are not counted; those that left a record are in request_failures.
-- grain: one row per measure
-- column measure VARCHAR: runs, failure_rate, run_seconds (mean of completed runs), total_tokens (mean of runs that report them), cost (mean of priced runs, in one currency)
-- column this_week DOUBLE: Value in the last seven days
-- column last_week DOUBLE: Value in the seven days before
-- column difference DOUBLE: This week less last week
-- column this_count BIGINT: Number of runs this week
-- column last_count BIGINT: Number of runs last week
-- column z DOUBLE: The difference in standard errors: of two Poisson counts, of two proportions (pooled), of two means (Welch); null when undefined
-- column is_significant BOOLEAN: Whether |z| > 1.96; null when z is null
with newest as (
    select coalesce(max(plausible_instant(created_at, observed_at)), max(created_at)) as created_at from runs
),

periods as (
    select
        run_times.run_id,
        run_times.is_terminal,
        run_times.is_failure,
        case when run_times.status = 'completed' then run_times.run_seconds end as run_seconds,
        seconds_between(run_times.created_at, newest.created_at) < 604800 as is_this
    from run_times
    cross join newest
    where run_times.created_at <= newest.created_at
        and seconds_between(run_times.created_at, newest.created_at) < 1209600
),

facts as (
    select
        periods.*,
        cast(usage.total_tokens as double) as total_tokens,
        run_costs.cost
    from periods
    left join usage on usage.run_id = periods.run_id
    left join run_costs on run_costs.run_id = periods.run_id
),

sums as (
    select
        cast(count(*) filter (where is_this) as double) as this_runs,
        cast(count(*) filter (where not is_this) as double) as last_runs,
        cast(count(*) filter (where is_this and is_terminal) as double) as this_ended,
        cast(count(*) filter (where not is_this and is_terminal) as double) as last_ended,
        cast(count(*) filter (where is_this and is_failure) as double) as this_failures,
        cast(count(*) filter (where not is_this and is_failure) as double) as last_failures,
        count(run_seconds) filter (where is_this) as this_timed,
        count(run_seconds) filter (where not is_this) as last_timed,
        avg(run_seconds) filter (where is_this) as this_seconds,
        avg(run_seconds) filter (where not is_this) as last_seconds,
        var_samp(run_seconds) filter (where is_this) as this_seconds_variance,
        var_samp(run_seconds) filter (where not is_this) as last_seconds_variance,
        count(total_tokens) filter (where is_this) as this_counted,
        count(total_tokens) filter (where not is_this) as last_counted,
        avg(total_tokens) filter (where is_this) as this_tokens,
        avg(total_tokens) filter (where not is_this) as last_tokens,
        var_samp(total_tokens) filter (where is_this) as this_tokens_variance,
        var_samp(total_tokens) filter (where not is_this) as last_tokens_variance,
        count(cost) filter (where is_this) as this_priced,
        count(cost) filter (where not is_this) as last_priced,
        cast(sum(cast(cost as decimal(38, 12))) filter (where is_this) as double)
        / nullif(count(cost) filter (where is_this), 0) as this_cost,
        cast(sum(cast(cost as decimal(38, 12))) filter (where not is_this) as double)
        / nullif(count(cost) filter (where not is_this), 0) as last_cost,
        var_samp(cost) filter (where is_this) as this_cost_variance,
        var_samp(cost) filter (where not is_this) as last_cost_variance
    from facts
),

measures as (
    select
        'runs' as measure,
        this_runs as this_week,
        last_runs as last_week,
        cast(this_runs as bigint) as this_count,
        cast(last_runs as bigint) as last_count,
        this_runs + last_runs as variance
    from sums
    where this_runs + last_runs > 0
    union all
    select
        'failure_rate' as measure,
        this_failures / nullif(this_ended, 0e0) as this_week,
        last_failures / nullif(last_ended, 0e0) as last_week,
        cast(this_ended as bigint) as this_count,
        cast(last_ended as bigint) as last_count,
        (this_failures + last_failures) / nullif(this_ended + last_ended, 0e0)
        * (1 - (this_failures + last_failures) / nullif(this_ended + last_ended, 0e0))
        * (1 / nullif(this_ended, 0e0) + 1 / nullif(last_ended, 0e0)) as variance
    from sums
    where this_ended + last_ended > 0
    union all
    select
        'run_seconds' as measure,
        this_seconds as this_week,
        last_seconds as last_week,
        this_timed as this_count,
        last_timed as last_count,
        this_seconds_variance / this_timed + last_seconds_variance / last_timed as variance
    from sums
    where this_timed + last_timed > 0
    union all
    select
        'total_tokens' as measure,
        this_tokens as this_week,
        last_tokens as last_week,
        this_counted as this_count,
        last_counted as last_count,
        this_tokens_variance / this_counted + last_tokens_variance / last_counted as variance
    from sums
    where this_counted + last_counted > 0
    union all
    select
        'cost' as measure,
        this_cost as this_week,
        last_cost as last_week,
        this_priced as this_count,
        last_priced as last_count,
        this_cost_variance / this_priced + last_cost_variance / last_priced as variance
    from sums
    where this_priced + last_priced > 0
)

select
    measure,
    this_week,
    last_week,
    this_week - last_week as difference,
    this_count,
    last_count,
    (this_week - last_week) / sqrt(nullif(variance, 0e0)) as z,
    abs((this_week - last_week) / sqrt(nullif(variance, 0e0))) > 1.959963984540054e0 as is_significant
from measures
