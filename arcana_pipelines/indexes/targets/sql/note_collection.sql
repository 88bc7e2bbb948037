-- A collection is about to be made, under a name that nobody used. The one that was there before is wanted no more, and the
-- store's own name for what serves went with it.
-- in: index_target_id, build (rag_index_build_id), collection
-- out: nothing; no row where the target or the build is no more
WITH target AS (
    SELECT index_target_id, kind, location
    FROM index_target
    WHERE index_target_id = %(index_target_id)s
      AND EXISTS (SELECT FROM rag_index_build WHERE rag_index_build_id = %(build)s)
), replaced AS (
    INSERT INTO unwanted_collection (kind, location, collection)
    SELECT c.kind, c.location, c.collection
    FROM target_collection c JOIN target USING (index_target_id)
    WHERE c.rag_index_build_id = %(build)s AND c.collection <> %(collection)s
), unnamed AS (
    UPDATE index_target SET serving_build_id = NULL
    WHERE index_target_id = %(index_target_id)s AND serving_build_id = %(build)s
)
INSERT INTO target_collection (index_target_id, rag_index_build_id, kind, location, collection)
SELECT index_target_id, %(build)s, kind, location, %(collection)s
FROM target
ON CONFLICT (index_target_id, rag_index_build_id)
    DO UPDATE SET collection = excluded.collection, state = 'filling', object_count = 0, vector_count = 0,
                  is_counted = false;
