-- Stage passages that a build has no vector of, in their order: others may stage the same.
-- in: build (rag_index_build_id), hashes, texts (one of each)
-- out: nothing
INSERT INTO passage_stage (rag_index_build_id, text_hash, embedded)
SELECT %(build)s, t.text_hash, t.embedded
FROM unnest(%(hashes)s::bytea[], %(texts)s::text[]) AS t(text_hash, embedded)
WHERE NOT EXISTS (SELECT 1 FROM passage p
                  WHERE p.rag_index_build_id = %(build)s AND p.text_hash = t.text_hash
                  OFFSET 0)
ORDER BY t.text_hash
ON CONFLICT DO NOTHING;
