-- What living documents bring as their topics, as texts: whole cells, and the items of lists. Asked only while paths are
-- unknown.
-- in: workspace_id, names (of properties)
-- out: text
SELECT DISTINCT p.text
FROM document_property p
JOIN document d ON d.document_id = p.document_id AND d.deleted_at IS NULL
WHERE p.workspace_id = %(workspace_id)s AND p.name = ANY(%(names)s::text[]) AND p.text IS NOT NULL;
