-- The same ones each time, of all workspaces.
-- in: most (how many)
-- out: slug of the workspace, title of a page that its index `default` serves
SELECT w.slug, p.title
FROM rag_indexes i
JOIN workspace w ON w.workspace_id = i.workspace_id AND w.status = 'active'
JOIN published_document s ON s.rag_index_build_id = i.active_build_id
JOIN source_page p ON p.workspace_id = w.workspace_id AND p.document_id = s.document_id
WHERE i.name = 'default' AND p.title ~ '\w'
ORDER BY md5(s.document_id::text)
LIMIT %(most)s
