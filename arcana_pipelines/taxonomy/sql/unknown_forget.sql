-- Forget paths that are unknown no more.
-- in: workspace_id, over (JSON: version, path)
-- out: nothing
DELETE FROM taxonomy_unknown_path u
USING jsonb_to_recordset(%(over)s::jsonb) AS o(version text, path jsonb)
WHERE u.workspace_id = %(workspace_id)s AND u.version = o.version
  AND u.path_key = taxonomy_path_key(ARRAY(SELECT jsonb_array_elements_text(o.path)));
