-- The chunks that a search of a build saw at a time, as those look that it sees now.
-- in: build (rag_index_build_id), as_of (time), chunks (table)
-- out: rows as those of chunk
SELECT document_chunk_id, document_content_id, chunk_content, heading_path, chunk_embedding, heading_levels,
       passages, language,
       NULL::timestamptz AS deleted_at
FROM {chunks}
WHERE rag_index_build_id = %(build)s AND created_at <= %(as_of)s::timestamptz
  AND (deleted_at IS NULL OR deleted_at > %(as_of)s::timestamptz)
