-- The best chunks by words: those that an index finds by key, each scored exactly (BM25 as an inner product).
-- in: terms (table), found, allowed (conditions on t), candidates (rows),
--     vector, other_vector (idf by term, sparsevec; the other one is that of the question in the other language, or
--     NULL)
-- out: document_chunk_id, the best first
WITH found AS MATERIALIZED (
    SELECT document_chunk_id, least(terms <#> %(vector)s::sparsevec, terms <#> %(other_vector)s::sparsevec) AS score
    FROM {terms} t
    WHERE {found} {allowed}
)
SELECT document_chunk_id FROM found ORDER BY score, document_chunk_id LIMIT %(candidates)s;
