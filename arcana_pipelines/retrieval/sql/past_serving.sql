-- The build that served an index at a time, or the one that is asked for, if it still has all that it showed then.
-- in: workspace_id, index (name), build (rag_index_build_id, or NULL), as_of (time)
-- out: build, model, dimensions, chunker, fingerprint, ann, search_effort, vectors, published (NULL)
SELECT b.rag_index_build_id AS build, b.embedding_model AS model, b.dimensions, b.chunker, b.fingerprint,
       'none' AS ann, 0 AS search_effort, i.published_vectors AS vectors, NULL AS published
FROM rag_indexes i
JOIN rag_index_build b USING (rag_index_id)
WHERE i.workspace_id = %(workspace_id)s AND i.name = %(index)s AND i.active_build_id IS NOT NULL
  AND %(as_of)s::timestamptz BETWEEN b.remembers_since AND clock_timestamp()
  AND CASE WHEN %(build)s::int IS NOT NULL THEN b.rag_index_build_id = %(build)s
           ELSE b.promoted_at <= %(as_of)s::timestamptz
                AND (b.retired_at IS NULL OR b.retired_at > %(as_of)s::timestamptz) END;
