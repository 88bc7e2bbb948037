-- All keys with what they may do, those that were made last first.
-- in: nothing
-- out: the fields of Key
SELECT k.key_id, c.name AS company, k.name,
       CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' ELSE 'good' END
           AS state,
       granted.scopes, k.created_by, k.created_at, k.expires_at, k.revoked_at, k.rotated_from, k.last_used_at,
       k.requests_per_minute, k.searches_per_month
FROM api_keys k
JOIN company c USING (company_id)
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(p.scope || coalesce(' in ' || w.slug, '') || coalesce('/' || p.index_name, '')
                                  || coalesce(' within ' || p.filters::text, '')
                              ORDER BY w.slug, p.index_name, p.scope), '{}') AS scopes
    FROM api_key_permissions p
    LEFT JOIN workspace w USING (workspace_id)
    WHERE p.key_id = k.key_id
) granted
ORDER BY k.created_at DESC, k.key_id;
