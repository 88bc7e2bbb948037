-- The versions that a build served at a time.
-- in: build (rag_index_build_id), as_of (time)
-- out: document_id, document_content_id, chunk_ids (in their order), published_at, places (of the chunks)
SELECT document_id, document_content_id, chunk_ids, published_at, places
FROM (
    SELECT rag_index_build_id, document_id, document_content_id, chunk_ids, published_at, places, NULL AS retired_at
    FROM published_document
    UNION ALL
    SELECT rag_index_build_id, document_id, document_content_id, chunk_ids, published_at, places, retired_at
    FROM retired_document
) every
WHERE rag_index_build_id = %(build)s AND published_at <= %(as_of)s::timestamptz
  AND (retired_at IS NULL OR retired_at > %(as_of)s::timestamptz)
