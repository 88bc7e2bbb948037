-- Give a build the vectors of its staged passages that another build of the workspace has of the same model, and take
-- these off the stage.
-- in: workspace_id, build (rag_index_build_id), model, dimensions
-- out: nothing
WITH known AS (
    SELECT s.text_hash, held.passage_embedding
    FROM passage_stage s
    CROSS JOIN LATERAL (
        SELECT p.passage_embedding
        FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
        JOIN passage p ON p.rag_index_build_id = b.rag_index_build_id AND p.text_hash = s.text_hash
        WHERE i.workspace_id = %(workspace_id)s AND b.embedding_model = %(model)s AND b.dimensions = %(dimensions)s
          AND b.rag_index_build_id <> %(build)s
        LIMIT 1) held
    WHERE s.rag_index_build_id = %(build)s
), given AS (
    INSERT INTO passage (rag_index_build_id, text_hash, passage_embedding)
    SELECT %(build)s, text_hash, passage_embedding FROM known
)
DELETE FROM passage_stage s USING known
WHERE s.rag_index_build_id = %(build)s AND s.text_hash = known.text_hash;
