-- Each row that is published or stored, with what is wrong about it. Documents that wait are left out; those that the store
-- refuses are not. Rows of no document are told under the id of zeros.
-- in: chunks (table of the build), row_hash (the expression), index_target_id, build (rag_index_build_id)
-- out: fills `compared`
CREATE TEMPORARY TABLE compared AS
SELECT *
FROM (
    SELECT coalesce(p.document_id, s.document_id, '00000000-0000-0000-0000-000000000000') AS document_id, chunk_id,
           CASE WHEN s.chunk_number IS NULL THEN 'missing'
                WHEN p.document_id IS NULL THEN 'extra'
                WHEN p.row_hash <> s.row_hash OR p.document_id IS DISTINCT FROM s.document_id THEN 'different' END AS wrong
    FROM (
        SELECT d.document_id, part.chunk_id, {row_hash} AS row_hash
        FROM published_document d
        CROSS JOIN LATERAL unnest(d.chunk_ids) AS part (chunk_id)
        JOIN {chunks} k ON k.document_chunk_id = part.chunk_id
        WHERE d.rag_index_build_id = {build}
    ) p
    FULL JOIN (SELECT chunk_id, chunk_id AS chunk_number, document_id, row_hash FROM stored) s USING (chunk_id)
) each
WHERE NOT EXISTS (
    SELECT FROM sync_operations o
    WHERE o.index_target_id = {index_target_id} AND o.rag_index_build_id = {build} AND o.document_id = each.document_id
      AND o.parked_reason IS NULL);
