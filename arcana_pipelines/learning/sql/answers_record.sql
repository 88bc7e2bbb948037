-- Note answers of a company, and count its questions. These are met in their order, so that two processes at once wait
-- for each other in turn.
-- in: company_id; at, workspace_id, index_name, key_id, request_id, query_hash, question, document_ids, positions,
--     is_answered, is_cached, is_continued (lists; those of ids and positions as texts of arrays)
-- out: nothing
WITH given AS MATERIALIZED (
    SELECT g.at, g.workspace_id, g.index_name, g.key_id, g.request_id, g.query_hash, g.question,
           g.document_ids::uuid[] AS document_ids, g.positions::int[] AS positions, g.is_answered, g.is_cached,
           g.is_continued
    FROM unnest(
        %(at)s::timestamptz[], %(workspace_id)s::uuid[], %(index_name)s::text[], %(key_id)s::text[],
        %(request_id)s::text[], %(query_hash)s::bytea[], %(question)s::text[], %(document_ids)s::text[],
        %(positions)s::text[], %(is_answered)s::boolean[], %(is_cached)s::boolean[], %(is_continued)s::boolean[]
    ) AS g (at, workspace_id, index_name, key_id, request_id, query_hash, question, document_ids, positions,
            is_answered, is_cached, is_continued)
    JOIN workspace w ON w.workspace_id = g.workspace_id AND w.company_id = %(company_id)s AND w.status <> 'deleting'
), noted AS (
    INSERT INTO search_answers
        (at, company_id, workspace_id, index_name, key_id, request_id, query_hash, document_ids, positions, is_answered,
         is_cached, is_continued)
    SELECT at, %(company_id)s, workspace_id, index_name, key_id, request_id, query_hash, document_ids, positions,
           is_answered, is_cached, is_continued
    FROM given
)
INSERT INTO query_cache AS q
    (company_id, workspace_id, query_hash, question, asked, answered, cached, first_asked_at, last_asked_at,
     last_answered_at)
SELECT %(company_id)s, workspace_id, query_hash, max(question), count(*), count(*) FILTER (WHERE is_answered),
       count(*) FILTER (WHERE is_cached), min(at), max(at), max(at) FILTER (WHERE is_answered)
FROM given
WHERE query_hash IS NOT NULL AND NOT is_continued
GROUP BY workspace_id, query_hash
ORDER BY workspace_id, query_hash
ON CONFLICT (company_id, workspace_id, query_hash) DO UPDATE SET
    question = excluded.question, asked = q.asked + excluded.asked, answered = q.answered + excluded.answered,
    cached = q.cached + excluded.cached, first_asked_at = least(q.first_asked_at, excluded.first_asked_at),
    last_asked_at = greatest(q.last_asked_at, excluded.last_asked_at),
    last_answered_at = greatest(q.last_answered_at, excluded.last_answered_at);
