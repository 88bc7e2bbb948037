-- Keep by how many documents unknown paths are brought, and the first of them.
-- in: workspace_id, version, counted (JSON: path, times, documents)
-- out: nothing
UPDATE taxonomy_unknown_path u SET times = c.times, documents = c.documents
FROM jsonb_to_recordset(%(counted)s::jsonb) AS c(path jsonb, times bigint, documents uuid[])
WHERE u.workspace_id = %(workspace_id)s AND u.version = %(version)s
  AND u.path_key = taxonomy_path_key(ARRAY(SELECT jsonb_array_elements_text(c.path)));
