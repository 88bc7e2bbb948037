-- How near each passage of chunks is to a question, as far as it has a vector.
-- in: chunks, passages (tables; chunks as a parameter: ids), build (rag_index_build_id), embedding (of the question)
-- out: document_chunk_id, number (of the passage in its chunk, from 0), cosine similarity
SELECT k.document_chunk_id, named.number - 1, -(p.passage_embedding::vector <#> %(embedding)s::vector)
FROM {chunks} k
CROSS JOIN LATERAL unnest(k.passages) WITH ORDINALITY AS named (text_hash, number)
JOIN {passages} p ON p.rag_index_build_id = %(build)s AND p.text_hash = named.text_hash
WHERE k.document_chunk_id = ANY(%(chunks)s::bigint[]);
