-- The document of a file that somebody adds, where it has none. Its place is provisional, as in files_documents.sql.
-- in: workspace_id, external_id
-- out: document_id
WITH numbered AS (
    UPDATE source_file SET document_id = gen_random_uuid()
    WHERE workspace_id = %(workspace_id)s AND external_id = %(external_id)s AND document_id IS NULL
    RETURNING document_id
), made AS (
    INSERT INTO document (document_id, workspace_id, company_id, platform, user_id, path, kind, upload_status, file_meta)
    SELECT n.document_id, w.workspace_id, w.company_id, w.platform, w.user_id,
           text2ltree('w' || replace(w.workspace_id::text, '-', '') || '.f' || left(md5(%(external_id)s), 16)),
           'file', 'pending', '{}'
    FROM numbered n CROSS JOIN workspace w
    WHERE w.workspace_id = %(workspace_id)s
)
SELECT document_id FROM numbered
UNION ALL
SELECT document_id FROM source_file
WHERE workspace_id = %(workspace_id)s AND external_id = %(external_id)s AND document_id IS NOT NULL;
