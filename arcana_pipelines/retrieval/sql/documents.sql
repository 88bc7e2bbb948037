-- The documents of chunks.
-- in: chunks (table; as a parameter: ids)
-- out: document_chunk_id, document_id
SELECT k.document_chunk_id, c.document_id
FROM {chunks} k JOIN document_content c USING (document_content_id)
WHERE k.document_chunk_id = ANY(%(chunks)s::bigint[]);
