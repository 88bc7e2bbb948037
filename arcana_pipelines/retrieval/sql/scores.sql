-- The exact scores of the candidates.
-- in: chunks, terms, passages (tables; chunks as a parameter: ids), build (rag_index_build_id),
--     vector, other_vector (idf by term, sparsevec; the other one is that of the question in the
--     other language, or NULL), embedding (of the question), asked_terms (1 by each that the question
--     asks for, sparsevec)
-- out: document_chunk_id, by words (BM25), by meaning (cosine similarity of the chunk), of its nearest passage (NULL
--     where passages have no vectors), language (NULL where it is not known), the chunk's terms, four bytes each (NULL
--     where it has none of those asked for). Which of them it has is told sooner by who reads them: of an array,
--     PostgreSQL makes a row for each element. What is sent of a sparsevec are three numbers, all indices, all values.
SELECT k.document_chunk_id,
       coalesce(-least(t.terms <#> %(vector)s::sparsevec, t.terms <#> %(other_vector)s::sparsevec), 0)::float8,
       coalesce(1 - (k.chunk_embedding <=> %(embedding)s::vector), 0)::float8,
       (SELECT max(-(p.passage_embedding::vector <#> %(embedding)s::vector))
        FROM {passages} p
        WHERE p.rag_index_build_id = %(build)s AND p.text_hash = ANY(k.passages)),
       k.language,
       CASE WHEN t.terms <#> %(asked_terms)s::sparsevec < 0
            THEN (SELECT substr(sent, 13, (octet_length(sent) - 12) / 2)
                  FROM (SELECT sparsevec_send(t.terms) AS sent OFFSET 0) whole) END
FROM {chunks} k LEFT JOIN {terms} t USING (document_chunk_id)
WHERE k.document_chunk_id = ANY(%(chunks)s::bigint[]) AND k.deleted_at IS NULL;
