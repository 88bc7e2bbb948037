-- A document for each file that has none, and in all of them what the ledger says: name, size, place of the bytes, state.
-- Their places in the tree are provisional: paths.sql puts them below their pages.
-- in: workspace_id
-- out: how many were made or changed
WITH numbered AS (
    SELECT f.external_id, gen_random_uuid() AS document_id, coalesce(p.is_internal, false) AS is_internal
    FROM source_file f
    LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
    WHERE f.workspace_id = %(workspace_id)s AND f.document_id IS NULL AND f.state <> 'removed'
), made AS (
    INSERT INTO document (document_id, workspace_id, company_id, platform, user_id, path, kind, upload_status, file_meta,
                          is_internal)
    SELECT n.document_id, w.workspace_id, w.company_id, w.platform, w.user_id,
           text2ltree('w' || replace(w.workspace_id::text, '-', '') || '.f' || left(md5(n.external_id), 16)),
           'file', 'pending', '{}', n.is_internal
    FROM numbered n CROSS JOIN workspace w
    WHERE w.workspace_id = %(workspace_id)s
), ledger AS (
    UPDATE source_file f SET document_id = n.document_id
    FROM numbered n
    WHERE f.workspace_id = %(workspace_id)s AND f.external_id = n.external_id
    RETURNING 1
)
SELECT count(*) FROM ledger;
