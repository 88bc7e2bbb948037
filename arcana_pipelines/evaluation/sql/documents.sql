-- Current documents for drafts of golden questions, in an order that has nothing to do with what they say.
-- in: workspace_id, most (rows)
-- out: external_id, title, text
SELECT p.external_id, c.contents->>'title' AS title, c.contents->>'text' AS text
FROM source_page p
JOIN document d USING (document_id)
JOIN document_content c ON c.document_content_id = d.latest_content_id
WHERE p.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL
ORDER BY md5(p.external_id)
LIMIT %(most)s;
