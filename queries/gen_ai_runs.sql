-- purpose: Runs and responses with the attribute names of OpenTelemetry's semantic conventions for generative AI (semantic-conventions-genai v0.1.0, underscores for dots), to join with traces.
-- grain: one row per run
-- column gen_ai_response_id VARCHAR: gen_ai.response.id: the run
-- column gen_ai_conversation_id VARCHAR: gen_ai.conversation.id: the thread, or a response's conversation
-- column gen_ai_operation_name VARCHAR: gen_ai.operation.name: invoke_agent; of a chat completion, a logged request, and a response without an agent, chat
-- column gen_ai_provider_name VARCHAR: gen_ai.provider.name: x_ai where the usage tells, else openai, whose API this is; other vendors' servers have it, too, and records do not name them
-- column gen_ai_agent_id VARCHAR: gen_ai.agent.id: the assistant of a run; null of responses, which name their agent
-- column gen_ai_agent_name VARCHAR: gen_ai.agent.name: the agent of a response; null of runs, which tell its id
-- column gen_ai_agent_version VARCHAR: gen_ai.agent.version: the version of that agent
-- column gen_ai_request_model VARCHAR: gen_ai.request.model: the language model, as sent; of a response, the one that answered
-- column gen_ai_response_model VARCHAR: gen_ai.response.model: the language model that answered; null of runs and logged requests, which do not tell
-- column gen_ai_request_temperature DOUBLE: gen_ai.request.temperature
-- column gen_ai_request_top_p DOUBLE: gen_ai.request.top_p
-- column gen_ai_request_max_tokens BIGINT: gen_ai.request.max_tokens: the limit on completion tokens
-- column gen_ai_usage_input_tokens BIGINT: gen_ai.usage.input_tokens: cached and written ones included
-- column gen_ai_usage_output_tokens BIGINT: gen_ai.usage.output_tokens: reasoning ones included
-- column gen_ai_usage_cache_read_input_tokens BIGINT: gen_ai.usage.cache_read.input_tokens
-- column gen_ai_usage_cache_creation_input_tokens BIGINT: gen_ai.usage.cache_creation.input_tokens
-- column gen_ai_usage_reasoning_output_tokens BIGINT: gen_ai.usage.reasoning.output_tokens
-- column gen_ai_response_finish_reasons VARCHAR[]: gen_ai.response.finish_reasons: one, why it is incomplete, else its status when it has ended; null while it is open
-- column error_type VARCHAR: error.type: the code of the last error, else the status when it failed, expired or is incomplete
-- column start_time TIMESTAMP WITH TIME ZONE: When it started, else when it was created
-- column end_time TIMESTAMP WITH TIME ZONE: When it ended
-- column source VARCHAR: Label of the run (--source): its organisation, project or server
with run_errors as (
    select
        run_id,
        max(code) filter (where kind = 'last_error') as error_code,
        max(code) filter (where kind = 'incomplete_details') as incomplete_reason
    from errors
    group by run_id
),

attributed_runs as (
    select
        *,
        coalesce(object = 'response', false) as is_response,
        -- A prompt, by which a response may be known as well, is no agent.
        case when object = 'response' and left(assistant_id, 5) <> 'pmpt_' then assistant_id end as agent_name
    from run_times
)

select
    attributed_runs.run_id as gen_ai_response_id,
    attributed_runs.thread_id as gen_ai_conversation_id,
    case
        when attributed_runs.object in ('chat.completion', 'litellm.request') then 'chat'
        when attributed_runs.is_response and attributed_runs.agent_name is null then 'chat'
        else 'invoke_agent'
    end as gen_ai_operation_name,
    case when json_text(usage.details, 'cost_in_usd_ticks') is not null then 'x_ai' else 'openai' end
        as gen_ai_provider_name,
    case when not attributed_runs.is_response then attributed_runs.assistant_id end as gen_ai_agent_id,
    attributed_runs.agent_name as gen_ai_agent_name,
    case when attributed_runs.agent_name is not null then attributed_runs.assistant_version end
        as gen_ai_agent_version,
    attributed_runs.model as gen_ai_request_model,
    case when attributed_runs.object in ('response', 'chat.completion') then attributed_runs.model end
        as gen_ai_response_model,
    attributed_runs.temperature as gen_ai_request_temperature,
    attributed_runs.top_p as gen_ai_request_top_p,
    attributed_runs.max_completion_tokens as gen_ai_request_max_tokens,
    usage.prompt_tokens as gen_ai_usage_input_tokens,
    usage.completion_tokens as gen_ai_usage_output_tokens,
    usage.cached_prompt_tokens as gen_ai_usage_cache_read_input_tokens,
    usage.cache_write_tokens as gen_ai_usage_cache_creation_input_tokens,
    usage.reasoning_tokens as gen_ai_usage_reasoning_output_tokens,
    case
        when attributed_runs.is_terminal
            then array_repeat(coalesce(run_errors.incomplete_reason, attributed_runs.status), 1)
    end as gen_ai_response_finish_reasons,
    coalesce(run_errors.error_code, case when attributed_runs.is_failure then attributed_runs.status end) as error_type,
    coalesce(attributed_runs.started_at, attributed_runs.created_at) as start_time,
    attributed_runs.finished_at as end_time,
    attributed_runs.source
from attributed_runs
left join usage on usage.run_id = attributed_runs.run_id
left join run_errors on run_errors.run_id = attributed_runs.run_id
