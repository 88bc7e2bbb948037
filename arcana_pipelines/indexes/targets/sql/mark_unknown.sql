-- Nobody knows any more what a target has of these documents: two have written to it.
-- in: index_target_id, build (rag_index_build_id), documents
-- out: nothing
INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation, held)
SELECT t.index_target_id, %(build)s, document_id, 'put', NULL
FROM unnest(%(documents)s::uuid[]) AS document_id
JOIN index_target t ON t.index_target_id = %(index_target_id)s
WHERE EXISTS (SELECT FROM rag_index_build b WHERE b.rag_index_build_id = %(build)s)
ON CONFLICT (index_target_id, rag_index_build_id, document_id)
    DO UPDATE SET held = NULL, seq = nextval('sync_operations_seq'), attempts = 0, parked_reason = NULL;
