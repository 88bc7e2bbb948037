-- The nearest chunks of the documents that a filter leaves.
-- in: terms, chunks (tables), allowed (condition on t), vector, candidates (rows)
-- out: document_chunk_id, the nearest first
SELECT k.document_chunk_id
FROM {terms} t JOIN {chunks} k USING (document_chunk_id)
WHERE k.deleted_at IS NULL {allowed}
ORDER BY k.chunk_embedding <=> %(vector)s::vector
LIMIT %(candidates)s;
