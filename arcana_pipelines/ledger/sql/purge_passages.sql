-- Vectors of passages that no chunk has any more. Not NOT IN: what is too large for the memory of a hash table would be
-- compared each with each.
-- in: workspace_id
-- out: nothing
WITH build AS (
    SELECT b.rag_index_build_id FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
    WHERE i.workspace_id = %(workspace_id)s
), named AS MATERIALIZED (
    SELECT rag_index_build_id, unnest(passages) AS text_hash FROM chunk JOIN build USING (rag_index_build_id)
    UNION
    SELECT rag_index_build_id, unnest(passages) FROM chunk_stage JOIN build USING (rag_index_build_id)
), without AS (
    DELETE FROM passage_stage s
    WHERE s.rag_index_build_id = ANY(ARRAY(SELECT rag_index_build_id FROM build))
      AND NOT EXISTS (SELECT 1 FROM named n
                      WHERE n.rag_index_build_id = s.rag_index_build_id AND n.text_hash = s.text_hash)
)
DELETE FROM passage p
WHERE p.rag_index_build_id = ANY(ARRAY(SELECT rag_index_build_id FROM build))
  AND NOT EXISTS (SELECT 1 FROM named n
                  WHERE n.rag_index_build_id = p.rag_index_build_id AND n.text_hash = p.text_hash);
