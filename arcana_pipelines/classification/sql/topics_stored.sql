-- The vectors of topics.
-- in: workspace_id, model, dimensions, hashes
-- out: text_hash, embedding
SELECT text_hash, embedding FROM embedding_store
WHERE workspace_id = %(workspace_id)s AND embedding_model = %(model)s AND dimensions = %(dimensions)s
  AND text_hash = ANY(%(hashes)s::bytea[])
