-- How many chunks have these keys.
-- in: build (rag_index_build_id), keys
-- out: key, chunks (number)
SELECT key, chunks FROM term_count
WHERE rag_index_build_id = %(build)s AND key = ANY(%(keys)s::int[]) AND chunks > 0;
