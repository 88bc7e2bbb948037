-- Embeddings of texts that no chunk of the workspace has any more.
-- in: workspace_id, days
-- out: nothing
DELETE FROM embedding_store e
WHERE e.workspace_id = %(workspace_id)s AND e.created_at < now() - make_interval(days => %(days)s)
  AND NOT EXISTS (
      SELECT 1 FROM chunk k JOIN rag_index_build b USING (rag_index_build_id)
      JOIN rag_indexes i USING (rag_index_id)
      WHERE i.workspace_id = %(workspace_id)s AND k.text_hash = e.text_hash)
  AND NOT EXISTS (
      SELECT 1 FROM chunk_stage k JOIN rag_index_build b USING (rag_index_build_id)
      JOIN rag_indexes i USING (rag_index_id)
      WHERE i.workspace_id = %(workspace_id)s AND k.text_hash = e.text_hash);
