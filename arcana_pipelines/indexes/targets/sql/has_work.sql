-- Is anything to be told to a target: a collection to be made, documents that wait, a count, a proof, a name? Builds are
-- copied once they are whole, and proven when they serve; one that is being dropped has no table any more.
-- in: nothing (an expression over a row `t` of `index_target` and its `i` of `rag_indexes`)
-- out: true or false
(NOT t.is_paused AND EXISTS (
    SELECT FROM rag_index_build b
    LEFT JOIN target_collection c
        ON c.index_target_id = t.index_target_id AND c.rag_index_build_id = b.rag_index_build_id
    WHERE b.rag_index_id = t.rag_index_id AND to_regclass('chunk_b' || b.rag_index_build_id) IS NOT NULL
      AND CASE
          WHEN c.collection IS NULL THEN b.state <> 'building'
          WHEN NOT c.is_counted THEN true
          WHEN EXISTS (
              SELECT FROM sync_operations s
              WHERE s.index_target_id = t.index_target_id AND s.rag_index_build_id = b.rag_index_build_id
                AND s.parked_reason IS NULL) THEN true
          WHEN b.rag_index_build_id IS DISTINCT FROM i.active_build_id THEN false
          WHEN c.state = 'live' THEN t.serving_build_id IS DISTINCT FROM b.rag_index_build_id
          ELSE NOT EXISTS (
              SELECT FROM sync_operations s
              WHERE s.index_target_id = t.index_target_id AND s.rag_index_build_id = b.rag_index_build_id
                AND s.attempts > 0)
          END))
