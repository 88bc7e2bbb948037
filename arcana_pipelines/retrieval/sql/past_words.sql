-- The words of all chunks of a build, those that were retired among them.
-- The condition stands outside: only a plain union is planned as one table, with look-ups by chunk.
-- in: build (rag_index_build_id), terms (table)
-- out: document_chunk_id, document_id, terms, keys
SELECT document_chunk_id, document_id, terms, keys
FROM (
    SELECT rag_index_build_id, document_chunk_id, document_id, terms, keys FROM {terms}
    UNION ALL
    SELECT rag_index_build_id, document_chunk_id, document_id, terms, keys FROM retired_chunk_terms
) every
WHERE rag_index_build_id = %(build)s
