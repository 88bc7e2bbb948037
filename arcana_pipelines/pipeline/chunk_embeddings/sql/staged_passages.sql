-- Passages that a build has no vector of, in the order of their hash. Who staged one may not have seen that it has.
-- in: build (rag_index_build_id), after (hash of the last one before), limit
-- out: text_hash, embedded
SELECT s.text_hash, s.embedded FROM passage_stage s
WHERE s.rag_index_build_id = %(build)s AND s.text_hash > %(after)s
  AND NOT EXISTS (SELECT 1 FROM passage p
                  WHERE p.rag_index_build_id = %(build)s AND p.text_hash = s.text_hash
                  OFFSET 0)
ORDER BY s.text_hash
LIMIT %(limit)s;
