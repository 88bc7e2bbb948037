-- The build that serves an index, or the one that is asked for.
-- in: workspace_id, index (name), build (rag_index_build_id, or NULL)
-- out: build, model, dimensions, chunker, fingerprint, ann, search_effort, vectors, published
SELECT b.rag_index_build_id AS build, b.embedding_model AS model, b.dimensions, b.chunker, b.fingerprint,
       b.ann, b.ann_effort AS search_effort, i.published_vectors AS vectors, i.published_at AS published
FROM rag_indexes i
JOIN rag_index_build b ON b.rag_index_id = i.rag_index_id
    AND b.rag_index_build_id = coalesce(%(build)s::int, i.active_build_id)
WHERE i.workspace_id = %(workspace_id)s AND i.name = %(index)s;
