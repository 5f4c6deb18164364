-- purpose: Rejects by reason and JSON path: count, inputs and loads.
-- grain: one row per source, reason and JSON path
-- column source VARCHAR: Label of the runs (--source)
-- column reason VARCHAR: Reason: what was expected and what was found
-- column place VARCHAR: JSON path of the error, without indices
-- column rejects BIGINT: Items
-- column inputs BIGINT: Inputs with such rejects
-- column first_load_id BIGINT: The first load with such a reject
-- column last_load_id BIGINT: The last load with such a reject
-- column last_observed_at TIMESTAMP WITH TIME ZONE: Latest observation time of these inputs
-- column sample_input VARCHAR: Sample input: the first address in alphabetical order
select
    source,
    reason,
    without_indices(json_path) as place,
    cast(sum(items) as bigint) as rejects,
    count(distinct input) as inputs,
    min(load_id) as first_load_id,
    max(load_id) as last_load_id,
    max(observed_at) as last_observed_at,
    min(input) as sample_input
from book_of_rejects()
group by source, reason, without_indices(json_path)
