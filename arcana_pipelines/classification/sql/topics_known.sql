-- Texts of topics that need no embedding: they have one, or the provider refuses them.
-- in: workspace_id, model, dimensions, hashes
-- out: text_hash
SELECT text_hash FROM embedding_store
WHERE workspace_id = %(workspace_id)s AND embedding_model = %(model)s AND dimensions = %(dimensions)s
  AND text_hash = ANY(%(hashes)s::bytea[])
UNION
SELECT text_hash FROM embedding_rejected
WHERE workspace_id = %(workspace_id)s AND embedding_model = %(model)s AND dimensions = %(dimensions)s
  AND text_hash = ANY(%(hashes)s::bytea[])
