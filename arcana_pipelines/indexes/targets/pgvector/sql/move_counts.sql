-- Move the counts of the index that a build serves.
-- in: rag_index_id, build (rag_index_build_id), objects, vectors (how many more)
-- out: nothing
UPDATE rag_indexes
SET published_objects = published_objects + %(objects)s, published_vectors = published_vectors + %(vectors)s,
    published_at = now(),
    object_count = CASE WHEN index_type = 'pgvector' THEN published_objects + %(objects)s ELSE object_count END,
    vector_count = CASE WHEN index_type = 'pgvector' THEN published_vectors + %(vectors)s ELSE vector_count END,
    updated = CASE WHEN index_type = 'pgvector' THEN now() ELSE updated END
WHERE rag_index_id = %(rag_index_id)s AND active_build_id = %(build)s;
