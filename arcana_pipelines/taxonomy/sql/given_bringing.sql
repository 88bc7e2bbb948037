-- The documents that bring topics, or have some that they brought before.
-- in: workspace_id, version (the active one), names (of properties)
-- out: document_id
SELECT document_id FROM source_page
WHERE workspace_id = %(workspace_id)s AND document_id IS NOT NULL AND state <> 'tombstoned'
  AND properties ?| %(names)s::text[]
UNION
SELECT document_id FROM source_file
WHERE workspace_id = %(workspace_id)s AND document_id IS NOT NULL AND topics IS NOT NULL
UNION
SELECT doc_id FROM doc_taxonomy
WHERE workspace_id = %(workspace_id)s AND version = %(version)s AND origin = 'given'
ORDER BY 1;
