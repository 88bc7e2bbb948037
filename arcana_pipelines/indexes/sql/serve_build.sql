-- Let an index serve a build, with the counts of what PostgreSQL publishes of it. Where another store serves, the place and
-- the counts are that store's, and change when it has the build. No target serves it before it is proven equal.
-- in: rag_index_id, build (rag_index_build_id), model, dimensions, table (its chunks), name (of that table)
-- out: nothing
WITH unproven AS (
    UPDATE target_collection c SET state = 'filling'
    FROM index_target t
    WHERE t.rag_index_id = %(rag_index_id)s AND c.index_target_id = t.index_target_id AND c.state = 'live'
)
UPDATE rag_indexes i
SET active_build_id = %(build)s, embedding_model = %(model)s, dimensions = %(dimensions)s,
    published_objects = now_there.objects, published_vectors = now_there.vectors, published_at = now(),
    storage_uri = CASE WHEN i.index_type = 'pgvector' THEN 'postgresql:' || {name} ELSE i.storage_uri END,
    object_count = CASE WHEN i.index_type = 'pgvector' THEN now_there.objects ELSE i.object_count END,
    vector_count = CASE WHEN i.index_type = 'pgvector' THEN now_there.vectors ELSE i.vector_count END,
    updated = CASE WHEN i.index_type = 'pgvector' THEN now() ELSE i.updated END
FROM (SELECT (SELECT count(*) FROM published_document WHERE rag_index_build_id = %(build)s) AS objects,
             (SELECT count(*) FROM {table} WHERE deleted_at IS NULL) AS vectors) now_there
WHERE i.rag_index_id = %(rag_index_id)s;
