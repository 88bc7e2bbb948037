-- Those of these chunks that a build publishes now of these documents.
-- in: build (rag_index_build_id), documents, chunks
-- out: chunk_id
SELECT part.chunk_id
FROM published_document p
CROSS JOIN LATERAL unnest(p.chunk_ids) AS part (chunk_id)
WHERE p.rag_index_build_id = %(build)s AND p.document_id = ANY(%(documents)s::uuid[])
  AND part.chunk_id = ANY(%(chunks)s::bigint[]);
