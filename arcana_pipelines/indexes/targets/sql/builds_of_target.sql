-- The builds of a target's index, the one that serves first, with what the target has of each.
-- in: index_target_id
-- out: the fields of BuildOfTarget
SELECT b.rag_index_build_id AS build, b.dimensions, coalesce(b.rag_index_build_id = i.active_build_id, false) AS is_serving,
       c.collection, c.state,
       EXISTS (
           SELECT FROM sync_operations s
           WHERE s.index_target_id = t.index_target_id AND s.rag_index_build_id = b.rag_index_build_id
             AND s.parked_reason IS NULL) AS is_behind,
       jsonb_build_object('model', b.embedding_model, 'chunker', b.chunker, 'fingerprint', b.fingerprint) AS made_by
FROM index_target t
JOIN rag_indexes i USING (rag_index_id)
JOIN rag_index_build b USING (rag_index_id)
LEFT JOIN target_collection c ON c.index_target_id = t.index_target_id AND c.rag_index_build_id = b.rag_index_build_id
WHERE t.index_target_id = %(index_target_id)s
ORDER BY is_serving DESC, b.rag_index_build_id;
