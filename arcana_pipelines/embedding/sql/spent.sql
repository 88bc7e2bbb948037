-- What a workspace's embeddings have cost in the running month (UTC), what its open batches may still cost, and its
-- own limit.
-- in: workspace_id
-- out: slug, month (YYYY-MM), embedding_budget (US dollars a month; NULL: none of its own), spent and reserved (US dollars)
SELECT w.slug, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS month, w.embedding_budget,
       (SELECT coalesce(sum(u.cost), 0) FROM embedding_usage u
        WHERE u.workspace_id = w.workspace_id AND u.month = date_trunc('month', now() AT TIME ZONE 'UTC')) AS spent,
       (SELECT coalesce(sum(b.most_cost), 0) FROM embedding_batch b
        WHERE b.workspace_id = w.workspace_id AND b.state IN ('sending', 'waiting')) AS reserved
FROM workspace w
WHERE w.workspace_id = %(workspace_id)s;
