-- Work that a stage behind the reading finds by itself, beside what `work_left` names.
-- in: workspace_id, normaliser
-- out: whether there is any
SELECT EXISTS (
    SELECT 1 FROM source_page
    WHERE workspace_id = %(workspace_id)s AND state = 'unchanged' AND normaliser <> %(normaliser)s)
OR EXISTS (
    SELECT 1 FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
    WHERE i.workspace_id = %(workspace_id)s
      AND (b.state = 'verifying' AND b.promote_when_verified
           OR b.state IN ('active', 'verifying')
              AND EXISTS (SELECT 1 FROM passage_stage s WHERE s.rag_index_build_id = b.rag_index_build_id)))
