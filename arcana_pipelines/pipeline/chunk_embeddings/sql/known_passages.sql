-- Give a build the vectors of its staged passages that another build of the workspace has of the same model, and take
-- these off the stage, and those that it has itself: who staged one may not have seen that. Looked up one by one, not
-- joined: a planner that takes the stage for empty, as it mostly is, compares each with each.
-- in: workspace_id, build (rag_index_build_id), model, dimensions
-- out: nothing
WITH known AS (
    DELETE FROM passage_stage s
    WHERE s.rag_index_build_id = %(build)s
      AND EXISTS (SELECT 1
                  FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
                  JOIN passage p ON p.rag_index_build_id = b.rag_index_build_id AND p.text_hash = s.text_hash
                  WHERE i.workspace_id = %(workspace_id)s AND b.embedding_model = %(model)s
                    AND b.dimensions = %(dimensions)s
                  OFFSET 0)
    RETURNING s.text_hash
)
INSERT INTO passage (rag_index_build_id, text_hash, passage_embedding)
SELECT %(build)s, k.text_hash,
       (SELECT p.passage_embedding
        FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
        JOIN passage p ON p.rag_index_build_id = b.rag_index_build_id AND p.text_hash = k.text_hash
        WHERE i.workspace_id = %(workspace_id)s AND b.embedding_model = %(model)s AND b.dimensions = %(dimensions)s
          AND b.rag_index_build_id <> %(build)s
        LIMIT 1)
FROM known k
WHERE NOT EXISTS (SELECT 1 FROM passage p
                  WHERE p.rag_index_build_id = %(build)s AND p.text_hash = k.text_hash
                  OFFSET 0);
