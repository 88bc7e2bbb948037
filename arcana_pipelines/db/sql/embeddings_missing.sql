-- Staged texts that the workspace never embedded with the build's model and that the provider does not refuse, each
-- once, in key order.
SELECT DISTINCT ON (t.text_hash) t.text_hash, t.embed_text
FROM chunk_stage t
WHERE t.rag_index_build_id = %(build)s AND t.text_hash > %(after)s
  AND NOT EXISTS (SELECT 1 FROM embedding_store e
                  WHERE e.workspace_id = %(workspace_id)s AND e.embedding_model = %(model)s
                    AND e.dimensions = %(dimensions)s AND e.text_hash = t.text_hash)
  AND NOT EXISTS (SELECT 1 FROM embedding_rejected r
                  WHERE r.workspace_id = %(workspace_id)s AND r.embedding_model = %(model)s
                    AND r.dimensions = %(dimensions)s AND r.text_hash = t.text_hash)
ORDER BY t.text_hash
LIMIT %(limit)s;
