-- Everything that is published in a build is to be delivered to a collection that is empty, and nothing else.
-- in: index_target_id, build (rag_index_build_id)
-- out: nothing
WITH gone AS (
    DELETE FROM sync_operations s
    WHERE s.index_target_id = %(index_target_id)s AND s.rag_index_build_id = %(build)s AND NOT EXISTS (
        SELECT FROM published_document p WHERE p.rag_index_build_id = %(build)s AND p.document_id = s.document_id)
)
INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation, held)
SELECT %(index_target_id)s, %(build)s, document_id, 'put', '{}'
FROM published_document
WHERE rag_index_build_id = %(build)s
ON CONFLICT (index_target_id, rag_index_build_id, document_id)
    DO UPDATE SET held = '{}', tried = '{}', seq = nextval('sync_operations_seq'), attempts = 0, parked_reason = NULL;
