-- What the documents of files say of them: name, type, size, the place of the bytes, and how far their upload is.
-- in: workspace_id, file (its external_id; NULL: all)
-- out: how many were hidden or shown again
WITH wanted AS (
    SELECT f.document_id, f.state = 'removed' AS is_gone,
           CASE WHEN f.state = 'pending' OR f.sha256 IS NOT NULL AND s.sha256 IS NULL THEN 'pending'
                WHEN f.sha256 IS NULL THEN 'upload_failed'
                ELSE 'uploaded' END AS upload_status,
           jsonb_strip_nulls(jsonb_build_object(
               'name', f.name, 'mimeType', s.mime_type, 'fileSize', s.size, 'storageKey', s.storage_key,
               'sha256', encode(f.sha256, 'hex'), 'reason', f.reason)) AS file_meta
    FROM source_file f
    LEFT JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256
    WHERE f.workspace_id = %(workspace_id)s AND f.document_id IS NOT NULL
      AND (%(file)s::text IS NULL OR f.external_id = %(file)s)
), changed AS (
    UPDATE document d SET
        upload_status = wanted.upload_status,
        file_meta = wanted.file_meta,
        deleted_at = CASE WHEN wanted.is_gone THEN coalesce(d.deleted_at, now()) END,
        updated_at = now()
    FROM wanted
    WHERE d.document_id = wanted.document_id
      AND ((d.upload_status, d.file_meta) IS DISTINCT FROM (wanted.upload_status, wanted.file_meta)
           OR (d.deleted_at IS NOT NULL) <> wanted.is_gone)
    RETURNING (d.deleted_at IS NOT NULL) AS is_gone
)
SELECT count(*) FROM changed;
