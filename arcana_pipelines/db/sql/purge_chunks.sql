-- Chunks that nobody could search for a long time.
DELETE FROM document_chunk k
WHERE k.rag_index_build_id = ANY(ARRAY(
        SELECT b.rag_index_build_id FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
        WHERE i.workspace_id = %(workspace_id)s))
  AND k.deleted_at < now() - make_interval(days => %(days)s);
