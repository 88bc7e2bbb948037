-- Which paths some released version of a workspace's taxonomy has, or had.
-- in: workspace_id, paths (JSON: lists of labels)
-- out: path
WITH asked AS MATERIALIZED (
    SELECT taxonomy_path_key(ARRAY(SELECT jsonb_array_elements_text(path))) AS path_key
    FROM jsonb_array_elements(%(paths)s::jsonb) AS each(path)
)
SELECT DISTINCT n.canonical_path AS path
FROM asked a
JOIN taxonomy_version v ON v.workspace_id = %(workspace_id)s AND v.state <> 'draft'
JOIN taxonomy_nodes n ON n.workspace_id = v.workspace_id AND n.version = v.version AND n.path_key = a.path_key;
