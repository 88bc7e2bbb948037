-- The nearest of the chunks that were seen at a time: each is compared, for no index has those that were retired since.
-- in: chunks (table), vector, candidates (rows)
-- out: document_chunk_id, the nearest first
SELECT document_chunk_id FROM {chunks} k ORDER BY chunk_embedding <=> %(vector)s::vector LIMIT %(candidates)s;
