-- How a workspace uses its taxonomy. Numbers are as they were written: a real has six digits.
-- in: workspace_id
-- out: default_node, default_path (in the active version; NULL: it is not there), topic_properties, accept_at, suggest_at
SELECT s.default_node, n.canonical_path AS default_path, s.topic_properties,
       s.accept_at::text::float8 AS accept_at, s.suggest_at::text::float8 AS suggest_at
FROM taxonomy_settings s
LEFT JOIN taxonomy_version v ON v.workspace_id = s.workspace_id AND v.state = 'active'
LEFT JOIN taxonomy_nodes n ON n.node_id = s.default_node AND n.version = v.version AND n.workspace_id = s.workspace_id
WHERE s.workspace_id = %(workspace_id)s;
