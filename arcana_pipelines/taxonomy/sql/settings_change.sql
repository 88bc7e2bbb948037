-- Write how a workspace uses its taxonomy. The row is there.
-- in: workspace_id, default_node, topic_properties, accept_at, suggest_at
-- out: nothing
UPDATE taxonomy_settings
SET default_node = %(default_node)s, topic_properties = %(topic_properties)s::text[],
    accept_at = %(accept_at)s, suggest_at = %(suggest_at)s
WHERE workspace_id = %(workspace_id)s;
