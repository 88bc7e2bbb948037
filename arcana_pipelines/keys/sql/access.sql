-- A key with its permissions, and the workspace that is asked for with it.
-- in: key_id, key_hash (or NULL: it need not be compared), slug (or NULL: none is asked for), session_hash (or NULL: no
--     session of the page asks)
-- out: key_id, company_id, key_hash, is_good (neither revoked nor expired, and the session is not ended), scopes, workspaces, indexes and filters (of
--     each permission), was_used (in the last minute), requests_per_minute and searches_per_month (NULL: not its own), company_requests and company_searches
--     (the same of its company; NULL: it has no limit);
--     asked_id, asked_platform, asked_places, asked_indexes, asked_builds and asked_publish_seqs (of the workspace;
--     NULL: there is none)
SELECT k.key_id, k.company_id, k.key_hash,
       k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true)
           AND NOT EXISTS (SELECT FROM ended_sessions e WHERE e.session_hash = %(session_hash)s::bytea) AS is_good,
       granted.scopes, granted.workspaces, granted.indexes, granted.filters,
       coalesce(k.last_used_at > now() - interval '1 minute', false) AS was_used, k.requests_per_minute,
       k.searches_per_month, c.requests_per_minute AS company_requests, c.searches_per_month AS company_searches,
       asked.workspace_id AS asked_id, asked.platform AS asked_platform,
       asked.places AS asked_places, asked.indexes AS asked_indexes, asked.builds AS asked_builds, asked.publish_seqs AS asked_publish_seqs
FROM api_keys k
JOIN company c USING (company_id)
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(p.scope), '{}') AS scopes, coalesce(array_agg(p.workspace_id), '{}') AS workspaces,
           coalesce(array_agg(p.index_name), '{}') AS indexes, coalesce(array_agg(p.filters), '{}') AS filters
    FROM api_key_permissions p
    WHERE p.key_id = k.key_id
) granted
-- Whatever is asked for with another key is not looked up: how long that takes would say whether it is there.
CROSS JOIN LATERAL workspace_for_key(
    k.company_id, CASE WHEN coalesce(k.key_hash = %(key_hash)s, true) THEN %(slug)s::text END
) asked
WHERE k.key_id = %(key_id)s;
