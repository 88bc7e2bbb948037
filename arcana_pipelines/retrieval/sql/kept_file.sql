-- The bytes of a file that an index serves.
-- in: document_id, index (name)
-- out: the fields of KeptFile; none: there is no such file, the index does not serve it, or its bytes are not kept
SELECT d.workspace_id, d.platform, s.name, b.mime_type, b.size, encode(b.sha256, 'hex') AS sha256, b.storage_key,
       d.is_internal
FROM document d
JOIN source_file s ON s.workspace_id = d.workspace_id AND s.document_id = d.document_id
JOIN stored_file b ON b.workspace_id = s.workspace_id AND b.sha256 = s.sha256
JOIN rag_indexes i ON i.workspace_id = d.workspace_id AND i.name = %(index)s
JOIN published_document p ON p.rag_index_build_id = i.active_build_id AND p.document_id = d.document_id
WHERE d.document_id = %(document_id)s AND d.deleted_at IS NULL AND s.state <> 'removed';
