-- purpose: Runs with the attribute names of OpenTelemetry's semantic conventions for generative AI (underscores for dots), to join with traces.
-- grain: one row per run
-- column gen_ai_response_id VARCHAR: gen_ai.response.id: the run
-- column gen_ai_conversation_id VARCHAR: gen_ai.conversation.id: the thread
-- column gen_ai_agent_id VARCHAR: gen_ai.agent.id: the assistant
-- column gen_ai_operation_name VARCHAR: gen_ai.operation.name: invoke_agent
-- column gen_ai_request_model VARCHAR: gen_ai.request.model: the language model, as sent
-- column gen_ai_request_temperature DOUBLE: gen_ai.request.temperature
-- column gen_ai_request_top_p DOUBLE: gen_ai.request.top_p
-- column gen_ai_request_max_tokens BIGINT: gen_ai.request.max_tokens: the limit on completion tokens
-- column gen_ai_usage_input_tokens BIGINT: gen_ai.usage.input_tokens: cached ones included
-- column gen_ai_usage_output_tokens BIGINT: gen_ai.usage.output_tokens: reasoning ones included
-- column gen_ai_usage_cache_read_input_tokens BIGINT: gen_ai.usage.cache_read.input_tokens
-- column gen_ai_response_finish_reason VARCHAR: An element of gen_ai.response.finish_reasons: why it is incomplete, else its status when it has ended
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
)

select
    run_times.run_id as gen_ai_response_id,
    run_times.thread_id as gen_ai_conversation_id,
    run_times.assistant_id as gen_ai_agent_id,
    'invoke_agent' as gen_ai_operation_name,
    run_times.model as gen_ai_request_model,
    run_times.temperature as gen_ai_request_temperature,
    run_times.top_p as gen_ai_request_top_p,
    run_times.max_completion_tokens as gen_ai_request_max_tokens,
    usage.prompt_tokens as gen_ai_usage_input_tokens,
    usage.completion_tokens as gen_ai_usage_output_tokens,
    usage.cached_prompt_tokens as gen_ai_usage_cache_read_input_tokens,
    case when run_times.is_terminal then coalesce(run_errors.incomplete_reason, run_times.status) end
        as gen_ai_response_finish_reason,
    coalesce(run_errors.error_code, case when run_times.is_failure then run_times.status end) as error_type,
    coalesce(run_times.started_at, run_times.created_at) as start_time,
    run_times.finished_at as end_time,
    run_times.source
from run_times
left join usage on usage.run_id = run_times.run_id
left join run_errors on run_errors.run_id = run_times.run_id
