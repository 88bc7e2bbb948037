-- Everything that is published in a build is to be delivered to a collection that is empty.
-- in: index_target_id, build (rag_index_build_id)
-- out: nothing
INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation, held)
SELECT %(index_target_id)s, %(build)s, document_id, 'put', '{}'
FROM published_document
WHERE rag_index_build_id = %(build)s
ON CONFLICT (index_target_id, rag_index_build_id, document_id)
    DO UPDATE SET held = '{}', seq = nextval('sync_operations_seq'), attempts = 0, parked_reason = NULL;
