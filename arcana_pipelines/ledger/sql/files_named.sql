-- The files that somebody means: by an id, the id of their document, or their name, with or without the folder that they
-- were added from. Those that were removed are found by an id alone.
-- in: workspace_id, asked
-- out: the fields of ListedFile
SELECT f.external_id, f.document_id, f.name, f.caption, f.origin, f.state, f.reason, s.kind, s.size,
       f.page_external_id AS page_id, p.title AS page
FROM source_file f
LEFT JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256
LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
WHERE f.workspace_id = %(workspace_id)s
  AND (%(asked)s IN (f.external_id, f.document_id::text)
       OR f.state <> 'removed' AND (f.name = %(asked)s OR f.origin = 'added' AND f.caption || '/' || f.name = %(asked)s))
ORDER BY f.external_id
LIMIT 20;
