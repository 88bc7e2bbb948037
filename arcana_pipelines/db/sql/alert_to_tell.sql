-- in: nothing
-- out: the next alert to tell, locked: one that is open and untold, or one that was told and is over
-- An index counts as stale, and a provider as unreachable, for a while before anybody is told: a machine that was off
-- catches up within minutes, and one request may fail.
SELECT alert_id, cause, workspace, text, detail, next_step, run_id, since, last_seen_at, resolved_at
FROM alert
WHERE (resolved_at IS NULL AND told_at IS NULL AND since <= now() - CASE cause
           WHEN 'stale' THEN interval '10 minutes'
           WHEN 'embedder_unreachable' THEN interval '1 minute'
           ELSE interval '0' END)
   OR (resolved_at IS NOT NULL AND told_at IS NOT NULL AND resolved_told_at IS NULL)
ORDER BY coalesce(resolved_at, since), alert_id
LIMIT 1
FOR UPDATE SKIP LOCKED;
