SELECT b.rag_index_build_id AS build, b.embedding_model AS model, b.dimensions, b.ann, i.vector_count AS vectors
FROM rag_indexes i JOIN rag_index_build b ON b.rag_index_build_id = i.active_build_id
WHERE i.workspace_id = %(workspace_id)s AND i.name = %(index)s;
