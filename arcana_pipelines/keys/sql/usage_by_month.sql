-- What keys were used for by month (UTC), the newest first. A request in several workspaces has a row for each.
-- in: workspace_id (or NULL: of all workspaces)
-- out: the fields of KeyUsage
SELECT to_char(u.at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, c.name AS company, u.key_id, coalesce(k.name, '') AS name,
       coalesce(sum(counted.requests), 0)::bigint AS requests,
       coalesce(sum(counted.requests) FILTER (WHERE u.action = 'search' AND u.status = 200), 0)::bigint AS searches,
       coalesce(sum(counted.requests) FILTER (WHERE u.status = 429), 0)::bigint AS refused,
       coalesce(sum(counted.requests) FILTER (WHERE u.status >= 500), 0)::bigint AS failed,
       coalesce(sum(u.hits), 0)::bigint AS hits, coalesce(sum(u.tokens), 0)::bigint AS tokens
FROM api_usage_logs u
JOIN company c USING (company_id)
LEFT JOIN api_keys k USING (key_id)
CROSS JOIN LATERAL (
    SELECT CASE WHEN u.is_further AND %(workspace_id)s::uuid IS NULL THEN 0 ELSE u.requests END AS requests
) counted
WHERE %(workspace_id)s::uuid IS NULL OR u.workspace_id = %(workspace_id)s
GROUP BY month, c.name, u.key_id, k.name
ORDER BY month DESC, c.name, requests DESC, u.key_id;
