-- The words of the chunks that a search of a build saw at a time.
-- in: words, chunks (tables)
-- out: document_chunk_id, document_id, terms, keys
SELECT k.document_chunk_id, t.document_id, t.terms, t.keys
FROM {words} t JOIN {chunks} k USING (document_chunk_id)
