-- The builds of a workspace or of one of its indexes.
-- in: workspace_id, index (its name; NULL: all)
-- out: the fields of Build, the oldest first
SELECT b.rag_index_build_id, b.rag_index_id, i.workspace_id, i.name AS index_name, b.chunker, b.embedding_model,
       b.dimensions, b.fingerprint, b.ann_setting, b.ann, b.ann_effort, b.state, b.promote_when_verified,
       b.verification, b.promoted_at
FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
WHERE i.workspace_id = %(workspace_id)s AND (%(index)s::text IS NULL OR i.name = %(index)s)
ORDER BY b.rag_index_build_id;
