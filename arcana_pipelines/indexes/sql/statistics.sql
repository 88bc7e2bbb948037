-- An index that serves, with its build.
-- in: workspace_id, name (of the index)
-- out: the fields of IndexStatistics
SELECT i.name, i.embedding_model, i.dimensions, i.object_count, i.vector_count, i.updated, i.index_type, i.created_at,
       b.rag_index_build_id AS build, b.chunker, b.ann, b.promoted_at, b.remembers_since
FROM rag_indexes i
JOIN rag_index_build b ON b.rag_index_build_id = i.active_build_id
WHERE i.workspace_id = %(workspace_id)s AND i.name = %(name)s;
