-- Which of these chunks are of documents that filters leave.
-- in: terms (table), allowed (condition on t), chunks (ids)
-- out: document_chunk_id, ascending
SELECT document_chunk_id FROM {terms} t
WHERE document_chunk_id = ANY(%(chunks)s::bigint[]) {allowed}
ORDER BY document_chunk_id;
