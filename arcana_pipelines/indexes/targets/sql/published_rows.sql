-- The chunks that a build publishes, with what tells each from another.
-- in: build (rag_index_build_id), chunks (table), row_hash (the expression)
-- out: chunk_id, row_hash
SELECT part.chunk_id, {row_hash} AS row_hash
FROM published_document d
CROSS JOIN LATERAL unnest(d.chunk_ids) AS part (chunk_id)
JOIN {chunks} k ON k.document_chunk_id = part.chunk_id
WHERE d.rag_index_build_id = %(build)s
ORDER BY part.chunk_id;
