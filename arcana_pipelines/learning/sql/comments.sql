-- What readers wrote of answers, the newest first, of all workspaces or of one.
-- in: workspace_id (or null), most
-- out: the fields of Comment
SELECT w.slug AS workspace, f.comment, f.verdict, q.question, encode(substring(f.query_hash FOR 6), 'hex') AS question_id,
       p.title AS page, f.key_id, f.at
FROM search_feedback f
JOIN workspace w USING (workspace_id)
LEFT JOIN query_cache q
    ON q.company_id = f.company_id AND q.workspace_id = f.workspace_id AND q.query_hash = f.query_hash
LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.document_id = f.document_id
WHERE f.comment IS NOT NULL AND (%(workspace_id)s::uuid IS NULL OR f.workspace_id = %(workspace_id)s)
ORDER BY f.at DESC, f.request_id, p.title
LIMIT %(most)s;
