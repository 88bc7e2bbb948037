-- What a comparison found. A collection is live while it was equal and nothing of it was refused: what differs, or was not
-- proven since, is not served.
-- in: index_target_id, build (rag_index_build_id), is_equal, proof
-- out: state
UPDATE target_collection c
SET verified_at = now(), verification = %(proof)s,
    state = CASE WHEN %(is_equal)s AND NOT EXISTS (
                     SELECT FROM sync_operations s
                     WHERE s.index_target_id = %(index_target_id)s AND s.rag_index_build_id = %(build)s
                       AND s.attempts > 0)
                 THEN 'live' ELSE 'filling' END
WHERE c.index_target_id = %(index_target_id)s AND c.rag_index_build_id = %(build)s
RETURNING state;
