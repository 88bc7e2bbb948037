-- How a workspace wants its documents classified.
-- in: the workspace's id
-- out: accept_at, suggest_at, topic_properties, default_node; no row: as usual
SELECT accept_at, suggest_at, topic_properties, default_node FROM taxonomy_settings WHERE workspace_id = %s
