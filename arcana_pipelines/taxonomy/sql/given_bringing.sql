-- The documents that bring topics, or have some that they brought before.
-- in: workspace_id
-- out: document_id
SELECT p.document_id
FROM taxonomy_settings s
JOIN source_page p ON p.workspace_id = s.workspace_id AND p.properties ?| s.topic_properties
WHERE s.workspace_id = %(workspace_id)s AND p.document_id IS NOT NULL AND p.state <> 'tombstoned'
UNION
SELECT document_id FROM source_file
WHERE workspace_id = %(workspace_id)s AND document_id IS NOT NULL AND topics IS NOT NULL
UNION
SELECT t.doc_id
FROM taxonomy_version v
JOIN doc_taxonomy t ON t.workspace_id = v.workspace_id AND t.version = v.version AND t.origin = 'given'
WHERE v.workspace_id = %(workspace_id)s AND v.state = 'active'
ORDER BY 1;
