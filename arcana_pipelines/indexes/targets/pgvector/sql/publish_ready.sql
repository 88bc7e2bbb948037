-- The documents whose content was cut and whose chunks are all staged and have their embedding. What was cut beside another
-- version than the one that is served now is left: it is cut again.
-- OFFSET 0 keeps the lookups lookups: the tables have just been filled, and a planner that takes them for empty
-- would compare every chunk with every embedding.
-- in: workspace_id, build (rag_index_build_id), model, dimensions
-- out: document_id
SELECT d.document_id
FROM content_stage t
CROSS JOIN LATERAL (
    SELECT d.*
    FROM document_content c JOIN document d ON d.document_id = c.document_id
    WHERE c.document_content_id = t.document_content_id
    OFFSET 0
) d
LEFT JOIN published_document s ON s.rag_index_build_id = %(build)s AND s.document_id = d.document_id
WHERE t.rag_index_build_id = %(build)s AND d.latest_content_id = t.document_content_id
  AND d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL
  AND s.published_at IS NOT DISTINCT FROM t.served_since
  AND cardinality(array_positions(t.chunk_ids, NULL)) = (
      SELECT count(*) FROM chunk_stage k
      WHERE k.rag_index_build_id = %(build)s AND k.document_content_id = t.document_content_id
        AND EXISTS (
            SELECT 1 FROM embedding_store e
            WHERE e.workspace_id = %(workspace_id)s AND e.embedding_model = %(model)s
              AND e.dimensions = %(dimensions)s AND e.text_hash = k.text_hash
            OFFSET 0))
ORDER BY d.document_id;
