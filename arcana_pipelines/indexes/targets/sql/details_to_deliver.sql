-- What a store that answers alone reads of chunks besides. Arrays and vectors as bytes: as values they are slow to read.
-- in: chunks, terms, passages (tables; chunks as a parameter: ids), build (rag_index_build_id)
-- out: chunk_id, heading_levels, terms (as sparsevec_send), keys (as array_send), passages (as halfvec_send without its
--     first four bytes, one behind the other; zeros for one that has no vector; NULL where none has), dimensions
SELECT k.document_chunk_id AS chunk_id, k.heading_levels, sparsevec_send(t.terms) AS terms, array_send(t.keys) AS keys,
       held.passages, vector_dims(k.chunk_embedding) AS dimensions
FROM {chunks} k
JOIN {terms} t USING (document_chunk_id)
CROSS JOIN LATERAL (
    SELECT CASE WHEN count(p.text_hash) > 0 THEN
               string_agg(
                   coalesce(
                       substr(halfvec_send(p.passage_embedding), 5),
                       decode(repeat('0000', vector_dims(k.chunk_embedding)), 'hex')),
                   ''::bytea ORDER BY named.number)
           END AS passages
    FROM unnest(k.passages) WITH ORDINALITY AS named (text_hash, number)
    LEFT JOIN {passages} p ON p.rag_index_build_id = %(build)s AND p.text_hash = named.text_hash
) held
WHERE k.document_chunk_id = ANY(%(chunks)s::bigint[]);
