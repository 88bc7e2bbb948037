-- What summaries have used by month (UTC), workspace and model, the newest month first.
-- in: workspace_id (or NULL: of all workspaces)
-- out: the fields of MonthlySummaryUsage
SELECT to_char(u.day, 'YYYY-MM') AS month, w.slug AS workspace, u.model, sum(u.requests)::bigint AS requests,
       sum(u.input_tokens)::bigint AS input_tokens, sum(u.output_tokens)::bigint AS output_tokens,
       sum(u.seconds) AS seconds
FROM summary_usage u JOIN workspace w USING (workspace_id)
WHERE %(workspace_id)s::uuid IS NULL OR u.workspace_id = %(workspace_id)s
GROUP BY 1, 2, 3
ORDER BY 1 DESC, 2, 3;
