-- purpose: What could not be loaded: each reason and place, how often, since when.
-- grain: one row per source, reason and place in the JSON
-- column source VARCHAR: The label given with --source
-- column reason VARCHAR: Why: what was expected, what was found
-- column place VARCHAR: Where in the JSON, indices left out
-- column rejects BIGINT: Items
-- column inputs BIGINT: Inputs in which they were
-- column first_load_id BIGINT: The load that met the first of them
-- column last_load_id BIGINT: The load that met the last of them
-- column last_observed_at TIMESTAMP WITH TIME ZONE: When the latest of these inputs was made
-- column sample_input VARCHAR: The address of one of these inputs, the first in the order of texts
select
    source,
    reason,
    without_indices(json_path) as place,
    count(*) as rejects,
    count(distinct input) as inputs,
    min(load_id) as first_load_id,
    max(load_id) as last_load_id,
    max(observed_at) as last_observed_at,
    min(input) as sample_input
from book_of_rejects()
group by source, reason, without_indices(json_path)
