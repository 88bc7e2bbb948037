-- The same ones each time, of all workspaces.
-- in: most (how many)
-- out: slug of the workspace, title of a document that its index `default` serves
SELECT w.slug, c.contents ->> 'title'
FROM rag_indexes i
JOIN workspace w ON w.workspace_id = i.workspace_id AND w.status = 'active'
JOIN published_document s ON s.rag_index_build_id = i.active_build_id
JOIN document_content c ON c.document_content_id = s.document_content_id
WHERE i.name = 'default' AND c.contents ->> 'title' ~ '\w'
ORDER BY md5(s.document_id::text)
LIMIT %(most)s
