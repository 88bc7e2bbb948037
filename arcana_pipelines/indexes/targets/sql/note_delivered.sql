-- What a target has of a build, and since when. Where it serves the index, the index says so, too. A collection that has
-- another number of rows than is published, while nothing waits, was changed by somebody else: it is to be proven again.
-- in: index_target_id, build (rag_index_build_id), vectors (counted in the store)
-- out: state
WITH wanted AS (
    SELECT count(*) AS objects, coalesce(sum(cardinality(p.chunk_ids)), 0) AS vectors,
           count(*) FILTER (WHERE s.document_id IS NULL) AS delivered
    FROM published_document p
    LEFT JOIN sync_operations s ON s.index_target_id = %(index_target_id)s
        AND s.rag_index_build_id = %(build)s AND s.document_id = p.document_id
    WHERE p.rag_index_build_id = %(build)s
), held AS (
    UPDATE target_collection c
    SET vector_count = %(vectors)s, object_count = wanted.delivered, delivered_at = now(), is_counted = true,
        state = CASE WHEN wanted.vectors <> %(vectors)s AND NOT EXISTS (
                         SELECT FROM sync_operations s
                         WHERE s.index_target_id = %(index_target_id)s AND s.rag_index_build_id = %(build)s)
                     THEN 'filling' ELSE c.state END
    FROM wanted
    WHERE c.index_target_id = %(index_target_id)s AND c.rag_index_build_id = %(build)s
    RETURNING c.*
), told AS (
    UPDATE rag_indexes i
    SET object_count = h.object_count, vector_count = h.vector_count, updated = h.delivered_at, storage_uri = h.location
    FROM held h JOIN index_target t USING (index_target_id)
    WHERE t.serves AND i.rag_index_id = t.rag_index_id AND i.active_build_id = h.rag_index_build_id
)
SELECT state FROM held;
