-- The names of the properties of the versions that were seen at a time.
-- in: workspace_id, versions (table)
-- out: name
SELECT DISTINCT jsonb_object_keys(c.contents->'properties')
FROM document d
JOIN document_content c USING (document_id)
WHERE d.workspace_id = %(workspace_id)s AND jsonb_typeof(c.contents->'properties') = 'object'
  AND EXISTS (SELECT 1 FROM {versions} v WHERE v.document_content_id = c.document_content_id);
