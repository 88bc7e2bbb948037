-- Documents of which a target has something wrong are to be delivered again: what it has right stays.
-- in: index_target_id, build (rag_index_build_id)
-- out: nothing
INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation, held)
SELECT %(index_target_id)s, %(build)s, document_id,
       CASE WHEN EXISTS (
           SELECT FROM published_document p WHERE p.rag_index_build_id = %(build)s AND p.document_id = c.document_id
       ) THEN 'put' ELSE 'remove' END,
       coalesce(array_agg(chunk_id) FILTER (WHERE wrong IS NULL OR wrong = 'extra'), '{}')
FROM compared c
WHERE EXISTS (SELECT FROM rag_index_build WHERE rag_index_build_id = %(build)s)
GROUP BY document_id
HAVING count(wrong) > 0
ON CONFLICT (index_target_id, rag_index_build_id, document_id) DO UPDATE SET held = NULL;
