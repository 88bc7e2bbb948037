-- The files of a workspace as they are now; of columns that a company's role may read.
-- in: workspace_id, state (NULL: all but removed ones), after (external_id), limit (NULL: all)
-- out: the fields of ListedFile
SELECT f.external_id, f.document_id, f.name, f.caption, f.origin, f.state, f.reason, s.kind, s.size,
       f.page_external_id AS page_id, p.title AS page
FROM source_file f
LEFT JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256
LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
WHERE f.workspace_id = %(workspace_id)s AND f.external_id > %(after)s
  AND CASE WHEN %(state)s::text IS NULL THEN f.state <> 'removed' ELSE f.state = %(state)s END
ORDER BY f.external_id
LIMIT %(limit)s;
