-- The nearest chunks of the documents that a filter leaves.
SELECT k.document_chunk_id
FROM {terms} t JOIN {chunks} k USING (document_chunk_id)
WHERE k.deleted_at IS NULL {allowed}
ORDER BY k.chunk_embedding <=> %(vector)s::vector
LIMIT %(candidates)s;
