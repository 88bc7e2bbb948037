-- The versions that a build serves.
-- in: build (rag_index_build_id)
-- out: document_id, document_content_id, chunk_ids (in their order), published_at, places (of the chunks)
SELECT document_id, document_content_id, chunk_ids, published_at, places
FROM published_document WHERE rag_index_build_id = %(build)s
