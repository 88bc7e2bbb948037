-- Staged texts that the workspace never embedded with the build's model, that the provider does not refuse and
-- that wait in no batch, each where it stands first, in the order of the stage: rows of a page lie side by side.
-- OFFSET 0: see publish_ready.sql.
-- in: workspace_id, build (rag_index_build_id), model, dimensions, after_content, after_position (of the last one
--     before), limit
-- out: document_content_id, position, text_hash, text, passages (how many it has)
SELECT t.document_content_id, t.position, t.text_hash, t.lead || t.chunk_content AS text,
       cardinality(t.passages) AS passages
FROM chunk_stage t
WHERE t.rag_index_build_id = %(build)s
  AND (t.document_content_id, t.position) > (%(after_content)s, %(after_position)s)
  AND NOT EXISTS (SELECT 1 FROM embedding_store e
                  WHERE e.workspace_id = %(workspace_id)s AND e.embedding_model = %(model)s
                    AND e.dimensions = %(dimensions)s AND e.text_hash = t.text_hash
                  OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM chunk_stage s
                  WHERE s.rag_index_build_id = %(build)s AND s.text_hash = t.text_hash
                    AND (s.document_content_id, s.position) < (t.document_content_id, t.position)
                  OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM embedding_rejected r
                  WHERE r.workspace_id = %(workspace_id)s AND r.embedding_model = %(model)s
                    AND r.dimensions = %(dimensions)s AND r.text_hash = t.text_hash
                  OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM embedding_batch b JOIN embedding_batch_text w USING (embedding_batch_id)
                  WHERE b.workspace_id = %(workspace_id)s AND b.embedding_model = %(model)s
                    AND b.dimensions = %(dimensions)s AND w.text_hash = t.text_hash
                  OFFSET 0)
ORDER BY t.document_content_id, t.position
LIMIT %(limit)s;
