-- The build that serves an index, or the one that is asked for.
-- With it the target that is asked for, or else the one that the index is served from; its collection where that is proven
-- equal.
-- in: workspace_id, index (name), build (rag_index_build_id, or NULL), target (name, or NULL)
-- out: build, model, dimensions, chunker, fingerprint, ann, search_effort, vectors, published, target, store_kind,
--      store_location, collection
SELECT b.rag_index_build_id AS build, b.embedding_model AS model, b.dimensions, b.chunker, b.fingerprint,
       b.ann, b.ann_effort AS search_effort, i.published_vectors AS vectors, i.published_at AS published,
       t.name AS target, t.kind AS store_kind, t.location AS store_location, c.collection
FROM rag_indexes i
JOIN rag_index_build b ON b.rag_index_id = i.rag_index_id
    AND b.rag_index_build_id = coalesce(%(build)s::int, i.active_build_id)
LEFT JOIN index_target t ON t.rag_index_id = i.rag_index_id
    AND CASE WHEN %(target)s::text IS NULL THEN t.serves ELSE t.name = %(target)s END
LEFT JOIN target_collection c ON c.index_target_id = t.index_target_id
    AND c.rag_index_build_id = b.rag_index_build_id AND c.state = 'live'
WHERE i.workspace_id = %(workspace_id)s AND i.name = %(index)s;
