-- The documents that are internal (private notes and their files) among those that a build serves, with their chunks.
-- in: build (rag_index_build_id)
-- out: document_id, chunk_ids
SELECT d.document_id, p.chunk_ids
FROM published_document p
JOIN document d USING (document_id)
WHERE p.rag_index_build_id = %(build)s AND d.is_internal;
