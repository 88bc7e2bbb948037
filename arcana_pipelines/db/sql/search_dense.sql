-- The nearest chunks of one build by cosine distance (exact: the partition is read whole).
SELECT document_chunk_id, 1 - (chunk_embedding <=> %(vector)s::vector) AS score
FROM document_chunk
WHERE rag_index_build_id = %(build)s AND deleted_at IS NULL
ORDER BY chunk_embedding <=> %(vector)s::vector, document_chunk_id
LIMIT %(candidates)s;
