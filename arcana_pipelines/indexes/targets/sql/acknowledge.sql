-- What was delivered waits no more, unless it was published again meanwhile; the collection is to be counted again.
-- Under the index's lock, by who has the right to deliver.
-- in: index_target_id, build (rag_index_build_id), documents, seqs
-- out: nothing
WITH told AS (
    DELETE FROM sync_operations s
    USING unnest(%(documents)s::uuid[], %(seqs)s::bigint[]) AS done (document_id, seq)
    WHERE s.index_target_id = %(index_target_id)s AND s.rag_index_build_id = %(build)s
      AND s.document_id = done.document_id AND s.seq = done.seq
      AND s.document_id = ANY(%(documents)s::uuid[])
)
UPDATE target_collection SET is_counted = false
WHERE index_target_id = %(index_target_id)s AND rag_index_build_id = %(build)s AND is_counted;
