-- What embeddings cost by month (UTC), workspace, model and tier, and the sum of each month; the newest month first, its
-- sum last.
-- in: workspace_id (or NULL: of all workspaces)
-- out: month (YYYY-MM), workspace (slug), model, tier (standard or batch), texts, tokens, cost (US dollars), seconds;
--      workspace, model and tier are NULL in the sum of a month
SELECT to_char(u.month, 'YYYY-MM') AS month, w.slug AS workspace, u.embedding_model AS model, u.tier,
       sum(u.texts)::bigint AS texts, sum(u.tokens)::bigint AS tokens, sum(u.cost) AS cost, sum(u.seconds) AS seconds
FROM embedding_usage u JOIN workspace w USING (workspace_id)
WHERE %(workspace_id)s::uuid IS NULL OR u.workspace_id = %(workspace_id)s
GROUP BY GROUPING SETS ((u.month, w.slug, u.embedding_model, u.tier), (u.month))
ORDER BY u.month DESC, w.slug NULLS LAST, u.embedding_model, u.tier;
