-- The nodes at these paths: one probe of the key's index each. The keys are made first: a policy lets no function that is
-- not leakproof into the condition of an index, and equality of bytes is.
-- in: workspace_id, version, paths (JSON: a list of labels for each)
-- out: position of the path (from 1), node_id; no row for a path that is not there
WITH asked AS MATERIALIZED (
    SELECT a.position, taxonomy_path_key(ARRAY(SELECT jsonb_array_elements_text(a.path))) AS path_key
    FROM jsonb_array_elements(%(paths)s::jsonb) WITH ORDINALITY AS a(path, position)
)
SELECT asked.position, n.node_id
FROM asked
JOIN taxonomy_nodes n
    ON n.workspace_id = %(workspace_id)s AND n.version = %(version)s AND n.path_key = asked.path_key;
