-- Where a chunk stands that a build serves.
-- in: workspace_id, build (rag_index_build_id), chunk (document_chunk_id), chunks (table)
-- out: document_id, position
SELECT d.document_id, place.position
FROM {chunks} k
JOIN document_content brought USING (document_content_id)
JOIN document d ON d.document_id = brought.document_id AND d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL
JOIN published_document s ON s.document_id = d.document_id AND s.rag_index_build_id = %(build)s
CROSS JOIN LATERAL (SELECT array_position(s.chunk_ids, k.document_chunk_id) - 1 AS position OFFSET 0) place
WHERE k.rag_index_build_id = %(build)s AND k.document_chunk_id = %(chunk)s AND place.position IS NOT NULL;
