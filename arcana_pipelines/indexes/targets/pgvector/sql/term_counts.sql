-- Count a loaded build's keys.
-- in: build (rag_index_build_id)
-- out: nothing
INSERT INTO term_count (rag_index_build_id, key, chunks)
SELECT %(build)s, key, count(*)
FROM chunk_terms, unnest(keys) AS key
WHERE rag_index_build_id = %(build)s
GROUP BY key;
