-- The builds of a target's index that it copies, or is to copy, the one that serves first, with what the target has of each.
-- See has_work.sql.
-- in: index_target_id
-- out: the fields of BuildOfTarget
SELECT b.rag_index_build_id AS build, b.dimensions, coalesce(b.rag_index_build_id = i.active_build_id, false) AS is_serving,
       coalesce(b.rag_index_build_id = t.serving_build_id, false) AS is_named, c.collection, c.state,
       coalesce(c.is_counted, false) AS is_counted,
       EXISTS (
           SELECT FROM sync_operations s
           WHERE s.index_target_id = t.index_target_id AND s.rag_index_build_id = b.rag_index_build_id
             AND s.parked_reason IS NULL) AS is_behind,
       jsonb_build_object('model', b.embedding_model, 'chunker', b.chunker, 'fingerprint', b.fingerprint) AS made_by
FROM index_target t
JOIN rag_indexes i USING (rag_index_id)
JOIN rag_index_build b USING (rag_index_id)
LEFT JOIN target_collection c ON c.index_target_id = t.index_target_id AND c.rag_index_build_id = b.rag_index_build_id
WHERE t.index_target_id = %(index_target_id)s AND (c.collection IS NOT NULL OR b.state <> 'building')
  AND to_regclass('chunk_b' || b.rag_index_build_id) IS NOT NULL
ORDER BY is_serving DESC, b.rag_index_build_id;
