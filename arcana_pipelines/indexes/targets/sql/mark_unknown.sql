-- What a deliverer who was overtaken told a store may have come after what the next one told it: nobody knows what is there of
-- these documents. Nothing happens where nobody has taken over.
-- in: index_target_id, build (rag_index_build_id), documents, fence (of the one who was overtaken)
-- out: nothing
INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation, held)
SELECT t.index_target_id, b.rag_index_build_id, document_id, 'put', NULL
FROM unnest(%(documents)s::uuid[]) AS document_id
JOIN index_target t ON t.index_target_id = %(index_target_id)s AND t.fence <> %(fence)s
JOIN rag_index_build b ON b.rag_index_build_id = %(build)s
ON CONFLICT (index_target_id, rag_index_build_id, document_id)
    DO UPDATE SET held = NULL, seq = nextval('sync_operations_seq'), attempts = 0, parked_reason = NULL;
