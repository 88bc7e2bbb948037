-- Workspaces for which the last look, or somebody, called for a sync and whose source may be asked now.
-- in: nothing
-- out: the columns of workspace
SELECT w.* FROM workspace w
LEFT JOIN source_limit l ON l.credential_hash = w.credential_hash AND l.paused_until BETWEEN now() AND now() + interval '1 hour'
WHERE w.status = 'active' AND (w.sync_needed IS NOT NULL OR w.sync_asked_at IS NOT NULL) AND l.credential_hash IS NULL
