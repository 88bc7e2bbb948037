-- A target has these chunks now, of documents that wait: what they lack is delivered.
-- in: index_target_id, build (rag_index_build_id), documents, chunks (of as many; the document of each)
-- out: nothing
UPDATE sync_operations s
SET held = s.held || d.chunks
FROM (
    SELECT document_id, array_agg(chunk_id) AS chunks
    FROM unnest(%(documents)s::uuid[], %(chunks)s::bigint[]) AS told (document_id, chunk_id)
    GROUP BY document_id
) d
WHERE s.index_target_id = %(index_target_id)s AND s.rag_index_build_id = %(build)s AND s.document_id = d.document_id
  AND s.held IS NOT NULL;
