-- A collection was made, and is empty.
-- in: index_target_id, build (rag_index_build_id), collection
-- out: nothing
INSERT INTO target_collection (index_target_id, rag_index_build_id, kind, location, collection)
SELECT index_target_id, %(build)s, kind, location, %(collection)s
FROM index_target
WHERE index_target_id = %(index_target_id)s
ON CONFLICT (index_target_id, rag_index_build_id)
    DO UPDATE SET collection = excluded.collection, state = 'filling', object_count = 0, vector_count = 0;
