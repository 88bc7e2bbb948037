-- Staged chunks of contents that are no longer wanted.
-- in: build (rag_index_build_id)
-- out: nothing
DELETE FROM chunk_stage t
USING document_content c, document d
WHERE t.rag_index_build_id = %(build)s
  AND c.document_content_id = t.document_content_id AND d.document_id = c.document_id
  AND (d.deleted_at IS NOT NULL OR d.latest_content_id <> c.document_content_id);
