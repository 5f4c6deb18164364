-- purpose: Token usage per assistant. Cached tokens are part of prompt tokens, reasoning tokens part of completion tokens.
-- grain: one row per assistant
-- column assistant_id VARCHAR: The assistant; null is a group of its own
-- column runs_with_usage BIGINT: Runs that report tokens
-- column prompt_tokens BIGINT: Sum of prompt tokens; null, like every sum here, when no run reports them
-- column cached_prompt_tokens BIGINT: Sum of cached prompt tokens
-- column uncached_prompt_tokens BIGINT: Sum of uncached prompt tokens
-- column completion_tokens BIGINT: Sum of completion tokens
-- column reasoning_tokens BIGINT: Sum of reasoning tokens
-- column total_tokens BIGINT: Sum of the totals as sent
-- column cached_share DOUBLE: Cached over all prompt tokens, 0 to 1; null when neither is reported
-- column prompt_tokens_avg DOUBLE: Prompt tokens per run that reports them
-- column completion_tokens_avg DOUBLE: Completion tokens per run that reports them
-- column total_tokens_p50 DOUBLE: Median of the totals
-- column total_tokens_p95 DOUBLE: 95th percentile of the totals, interpolated linearly
-- column completion_tokens_per_second DOUBLE: Completion tokens over run_seconds, of the completed runs that have both
with token_runs as (
    select
        run_times.assistant_id,
        usage.prompt_tokens,
        usage.cached_prompt_tokens,
        usage.prompt_tokens - coalesce(usage.cached_prompt_tokens, 0) as uncached_prompt_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
        usage.total_tokens,
        case
            when run_times.status = 'completed' and run_times.run_seconds is not null then usage.completion_tokens
        end as timed_tokens,
        case
            when run_times.status = 'completed' and usage.completion_tokens is not null then run_times.run_seconds
        end as timed_seconds,
        coalesce(
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
            usage.cached_prompt_tokens,
            usage.reasoning_tokens
        ) is not null as has_usage
    from run_times
    left join usage on usage.run_id = run_times.run_id
)

select
    assistant_id,
    count(*) filter (where has_usage) as runs_with_usage,
    try_cast(sum(prompt_tokens) as bigint) as prompt_tokens,
    try_cast(sum(cached_prompt_tokens) as bigint) as cached_prompt_tokens,
    try_cast(sum(uncached_prompt_tokens) as bigint) as uncached_prompt_tokens,
    try_cast(sum(completion_tokens) as bigint) as completion_tokens,
    try_cast(sum(reasoning_tokens) as bigint) as reasoning_tokens,
    try_cast(sum(total_tokens) as bigint) as total_tokens,
    cast(sum(cached_prompt_tokens) as double) / nullif(cast(sum(prompt_tokens) as double), 0) as cached_share,
    avg(cast(prompt_tokens as double)) as prompt_tokens_avg,
    avg(cast(completion_tokens as double)) as completion_tokens_avg,
    percentile_cont(0.5) within group (order by cast(total_tokens as double)) as total_tokens_p50,
    percentile_cont(0.95) within group (order by cast(total_tokens as double)) as total_tokens_p95,
    cast(sum(timed_tokens) as double) / nullif(sum(timed_seconds), 0) as completion_tokens_per_second
from token_runs
group by assistant_id
