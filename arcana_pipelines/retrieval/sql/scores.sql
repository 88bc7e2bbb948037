-- Both exact scores of the candidates.
-- in: chunks, terms (tables; chunks as a parameter: ids), vector (idf by term, sparsevec), embedding (of the
--     question)
-- out: document_chunk_id, by words (BM25), by meaning (cosine similarity)
SELECT k.document_chunk_id, coalesce(-(t.terms <#> %(vector)s::sparsevec), 0)::float8,
       coalesce(1 - (k.chunk_embedding <=> %(embedding)s::vector), 0)::float8
FROM {chunks} k LEFT JOIN {terms} t USING (document_chunk_id)
WHERE k.document_chunk_id = ANY(%(chunks)s::bigint[]) AND k.deleted_at IS NULL;
