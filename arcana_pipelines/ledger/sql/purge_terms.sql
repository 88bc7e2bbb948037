-- The words of retired chunks that were purged, by their age or with their document.
-- in: workspace_id
-- out: nothing
DELETE FROM retired_chunk_terms t
WHERE t.rag_index_build_id = ANY(ARRAY(
        SELECT b.rag_index_build_id FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
        WHERE i.workspace_id = %(workspace_id)s))
  AND NOT EXISTS (SELECT 1 FROM chunk k
                  WHERE k.rag_index_build_id = t.rag_index_build_id AND k.document_chunk_id = t.document_chunk_id);
