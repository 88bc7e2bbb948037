-- Versions of a document, the newest first.
-- in: workspace_id, document_id, versions (table)
-- out: the fields of ServedVersion
SELECT c.version, coalesce(page.title, '') AS title, replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at,
       v.published_at, v.retired_at
FROM document d
JOIN {versions} v USING (document_id)
JOIN document_content c ON c.document_content_id = v.document_content_id
CROSS JOIN LATERAL jsonb_to_record(c.contents) AS page(title text, last_edited_at text)
WHERE d.workspace_id = %(workspace_id)s AND d.document_id = %(document_id)s::uuid
ORDER BY c.version DESC;
