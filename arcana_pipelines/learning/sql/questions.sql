-- The questions that were asked most, of all workspaces or of one.
-- in: workspace_id (or null), most
-- out: the fields of AskedQuestion
SELECT w.slug AS workspace, q.question, encode(substring(q.query_hash FOR 6), 'hex') AS question_id, q.asked,
       round(q.answered::numeric / q.asked, 3)::float AS answered_share,
       round(q.cached::numeric / q.asked, 3)::float AS cached_share, q.first_asked_at, q.last_asked_at
FROM query_cache q
JOIN workspace w USING (workspace_id)
WHERE %(workspace_id)s::uuid IS NULL OR q.workspace_id = %(workspace_id)s
ORDER BY q.asked DESC, q.last_asked_at DESC, q.query_hash
LIMIT %(most)s;
