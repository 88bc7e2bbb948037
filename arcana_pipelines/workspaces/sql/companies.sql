-- Companies with their limits, and how many searches they have made.
-- in: since
-- out: the fields of Company
SELECT c.name, (SELECT count(*) FROM workspace w WHERE w.company_id = c.company_id) AS workspaces,
       (SELECT count(*) FROM api_keys k
        WHERE k.company_id = c.company_id AND k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true)) AS keys,
       c.requests_per_minute, c.searches_per_month, coalesce(used.searches, 0)::integer AS searches
FROM company c
LEFT JOIN (
    SELECT company_id, sum(requests) AS searches
    FROM api_usage_logs
    WHERE at >= %(since)s AND action = 'search' AND status = 200 AND NOT is_further
    GROUP BY company_id
) used USING (company_id)
ORDER BY c.name;
