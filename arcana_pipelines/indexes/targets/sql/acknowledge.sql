-- What was delivered waits no more, unless it was published again meanwhile, or somebody else has taken over.
-- in: index_target_id, build (rag_index_build_id), fence, documents, seqs
-- out: nothing
DELETE FROM sync_operations s
USING unnest(%(documents)s::uuid[], %(seqs)s::bigint[]) AS done (document_id, seq)
WHERE s.index_target_id = %(index_target_id)s AND s.rag_index_build_id = %(build)s
  AND s.document_id = done.document_id AND s.seq = done.seq
  AND EXISTS (SELECT FROM index_target t WHERE t.index_target_id = s.index_target_id AND t.fence = %(fence)s);
