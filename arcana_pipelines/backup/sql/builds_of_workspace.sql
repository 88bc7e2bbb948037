-- in: workspace_id
-- out: the builds of its indexes
SELECT b.rag_index_build_id FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
WHERE i.workspace_id = %(workspace_id)s
