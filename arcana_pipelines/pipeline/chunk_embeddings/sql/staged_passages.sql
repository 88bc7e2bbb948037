-- Passages that a build has no vector of, in the order of their hash.
-- in: build (rag_index_build_id), after (hash of the last one before), limit
-- out: text_hash, embedded
SELECT text_hash, embedded FROM passage_stage
WHERE rag_index_build_id = %(build)s AND text_hash > %(after)s
ORDER BY text_hash
LIMIT %(limit)s;
