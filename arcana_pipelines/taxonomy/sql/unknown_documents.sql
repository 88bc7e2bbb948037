-- The living documents that bring these texts as their topics.
-- in: workspace_id, names (of properties), texts
-- out: text, document_id
SELECT DISTINCT p.text, p.document_id
FROM document_property p
JOIN document d ON d.document_id = p.document_id AND d.deleted_at IS NULL
WHERE p.workspace_id = %(workspace_id)s AND p.name = ANY(%(names)s::text[]) AND p.text = ANY(%(texts)s::text[])
ORDER BY p.document_id;
