-- Every index with its own counts, and with what a search can reach now.
-- in: workspace_id
-- out: the fields of ServedIndex
SELECT i.name, i.embedding_model, i.dimensions, i.published_objects AS object_count,
       i.published_vectors AS vector_count, i.updated,
       (SELECT count(*) FROM published_document s WHERE s.rag_index_build_id = i.active_build_id) AS documents,
       (SELECT count(*) FROM chunk k
        WHERE k.rag_index_build_id = i.active_build_id AND k.deleted_at IS NULL) AS chunks
FROM rag_indexes i
WHERE i.workspace_id = %(workspace_id)s
ORDER BY i.name;
