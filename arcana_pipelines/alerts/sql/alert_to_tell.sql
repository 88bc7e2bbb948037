-- An index counts as stale, and a provider as unreachable, for a while before it is told: a machine that was off
-- catches up within minutes, and one request may fail. What was sent and not answered has arrived, most likely: it waits
-- an hour, and each time twice as long. What was refused comes after what was not, so that one alert that a receiver does
-- not take holds up no others.
-- in: receiver
-- out: the next alert to tell it, its delivery locked: one that is open and untold, or one that was told and is over
SELECT a.alert_id, cause, workspace, text, detail, next_step, run_id, since, last_seen_at, resolved_at, subject
FROM alert_delivery d
JOIN alert a USING (alert_id)
CROSS JOIN LATERAL (SELECT coalesce(resolved_at, since) AS happened_at) news
WHERE d.receiver = %(receiver)s
  AND ((resolved_at IS NULL AND d.told_at IS NULL AND since <= now() - CASE cause
            WHEN 'stale' THEN interval '10 minutes'
            WHEN 'embedder_unreachable' THEN interval '1 minute'
            ELSE interval '0' END)
       OR (resolved_at IS NOT NULL AND coalesce(d.told_at, d.unanswered_at) IS NOT NULL AND d.resolved_told_at IS NULL))
  AND (d.unanswered_at IS NULL OR d.unanswered_at < happened_at
       OR d.unanswered_at + greatest(interval '1 hour', d.unanswered_at - happened_at) <= now())
ORDER BY d.failed_at NULLS FIRST, happened_at, a.alert_id
LIMIT 1
FOR UPDATE OF d SKIP LOCKED;
