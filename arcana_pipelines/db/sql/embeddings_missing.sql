-- Staged texts that the workspace never embedded with the build's model, that the provider does not refuse and
-- that wait in no batch, each once, in key order. OFFSET 0: see publish_ready.sql.
SELECT DISTINCT ON (t.text_hash) t.text_hash, t.embed_text
FROM chunk_stage t
WHERE t.rag_index_build_id = %(build)s AND t.text_hash > %(after)s
  AND NOT EXISTS (SELECT 1 FROM embedding_store e
                  WHERE e.workspace_id = %(workspace_id)s AND e.embedding_model = %(model)s
                    AND e.dimensions = %(dimensions)s AND e.text_hash = t.text_hash
                  OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM embedding_rejected r
                  WHERE r.workspace_id = %(workspace_id)s AND r.embedding_model = %(model)s
                    AND r.dimensions = %(dimensions)s AND r.text_hash = t.text_hash
                  OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM embedding_batch b JOIN embedding_batch_text w USING (embedding_batch_id)
                  WHERE b.workspace_id = %(workspace_id)s AND b.embedding_model = %(model)s
                    AND b.dimensions = %(dimensions)s AND w.text_hash = t.text_hash
                  OFFSET 0)
ORDER BY t.text_hash
LIMIT %(limit)s;
