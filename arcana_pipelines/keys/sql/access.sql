-- A key with its permissions.
-- in: key_id
-- out: key_id, company_id, key_hash, is_good (neither revoked nor expired), scopes, workspaces, indexes and filters (of
--     each permission), was_used (in the last minute), requests_per_minute and searches_per_month (NULL: not its own)
SELECT k.key_id, k.company_id, k.key_hash, k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true) AS is_good,
       granted.scopes, granted.workspaces, granted.indexes, granted.filters,
       coalesce(k.last_used_at > now() - interval '1 minute', false) AS was_used, k.requests_per_minute,
       k.searches_per_month
FROM api_keys k
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(p.scope), '{}') AS scopes, coalesce(array_agg(p.workspace_id), '{}') AS workspaces,
           coalesce(array_agg(p.index_name), '{}') AS indexes, coalesce(array_agg(p.filters), '{}') AS filters
    FROM api_key_permissions p
    WHERE p.key_id = k.key_id
) granted
WHERE k.key_id = %(key_id)s;
