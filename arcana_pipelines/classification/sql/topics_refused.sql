-- Remember texts of topics that the provider refuses: they are not sent again.
-- in: workspace_id, model, dimensions, hashes, reasons
-- out: nothing
INSERT INTO embedding_rejected (workspace_id, embedding_model, dimensions, text_hash, reason)
SELECT %(workspace_id)s, %(model)s, %(dimensions)s, t.text_hash, t.reason
FROM unnest(%(hashes)s::bytea[], %(reasons)s::text[]) AS t (text_hash, reason)
ON CONFLICT DO NOTHING
