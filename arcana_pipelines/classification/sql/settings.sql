-- How a workspace wants its documents classified.
-- in: workspace_id
-- out: accept_at, suggest_at, topic_properties, default_node; no row: as usual
SELECT accept_at, suggest_at, topic_properties, default_node FROM taxonomy_settings WHERE workspace_id = %(workspace_id)s
