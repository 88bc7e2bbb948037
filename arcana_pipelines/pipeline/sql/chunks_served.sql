-- The chunks that a build serves of documents, in their order, and since when.
-- in: build (rag_index_build_id), documents (ids)
-- out: document_id, published_at, document_chunk_id, text_hash, heading_path, heading_levels
SELECT s.document_id, s.published_at, part.document_chunk_id, k.text_hash, k.heading_path, k.heading_levels
FROM published_document s
LEFT JOIN LATERAL unnest(s.chunk_ids) WITH ORDINALITY AS part (document_chunk_id, number) ON true
LEFT JOIN LATERAL (
    SELECT k.text_hash, k.heading_path, k.heading_levels FROM chunk k
    WHERE k.rag_index_build_id = %(build)s AND k.document_chunk_id = part.document_chunk_id
    OFFSET 0
) k ON true
WHERE s.rag_index_build_id = %(build)s AND s.document_id = ANY(%(documents)s)
ORDER BY s.document_id, part.number;
