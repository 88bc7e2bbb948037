-- What a target has of a build, and since when. Where it serves the index, the index says so, too.
-- in: index_target_id, build (rag_index_build_id), vectors (counted in the store)
-- out: nothing
WITH held AS (
    UPDATE target_collection c
    SET vector_count = %(vectors)s, delivered_at = now(),
        object_count = (
            SELECT count(*) FROM published_document p
            WHERE p.rag_index_build_id = %(build)s AND NOT EXISTS (
                SELECT FROM sync_operations s
                WHERE s.index_target_id = c.index_target_id AND s.rag_index_build_id = %(build)s
                  AND s.document_id = p.document_id))
    WHERE c.index_target_id = %(index_target_id)s AND c.rag_index_build_id = %(build)s
    RETURNING c.*
)
UPDATE rag_indexes i
SET object_count = h.object_count, vector_count = h.vector_count, updated = h.delivered_at, storage_uri = h.location
FROM held h JOIN index_target t USING (index_target_id)
WHERE t.serves AND i.rag_index_id = t.rag_index_id AND i.active_build_id = h.rag_index_build_id;
