-- A store refused a document. After so many times it is parked, until it is published again.
-- in: index_target_id, build (rag_index_build_id), document_id, seq, most (attempts), reason
-- out: parked_reason
UPDATE sync_operations
SET attempts = attempts + 1, parked_reason = CASE WHEN attempts + 1 >= %(most)s THEN %(reason)s END
WHERE index_target_id = %(index_target_id)s AND rag_index_build_id = %(build)s AND document_id = %(document_id)s
  AND seq = %(seq)s
RETURNING parked_reason;
