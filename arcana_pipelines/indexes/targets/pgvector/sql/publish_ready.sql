-- The documents whose staged chunks all have their embedding.
-- OFFSET 0 keeps the lookups lookups: the tables have just been filled, and a planner that takes them for empty
-- would compare every chunk with every embedding.
-- in: workspace_id, build (rag_index_build_id), model, dimensions
-- out: document_id
SELECT d.document_id
FROM (
    SELECT t.document_content_id
    FROM chunk_stage t
    WHERE t.rag_index_build_id = %(build)s
    GROUP BY t.document_content_id
    HAVING bool_and(EXISTS (
        SELECT 1 FROM embedding_store e
        WHERE e.workspace_id = %(workspace_id)s AND e.embedding_model = %(model)s
          AND e.dimensions = %(dimensions)s AND e.text_hash = t.text_hash
        OFFSET 0))
) staged
CROSS JOIN LATERAL (
    SELECT d.*
    FROM document_content c JOIN document d ON d.document_id = c.document_id
    WHERE c.document_content_id = staged.document_content_id
    OFFSET 0
) d
WHERE d.latest_content_id = staged.document_content_id
  AND d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL
ORDER BY d.document_id;
