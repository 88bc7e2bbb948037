-- Workspaces whose source may be looked at now. A look at a folder costs nothing; one at Notion costs two
-- requests and is taken every 30 s at most.
-- in: nothing
-- out: the columns of workspace
SELECT w.* FROM workspace w
LEFT JOIN source_limit l ON l.credential_hash = w.credential_hash AND l.paused_until > now()
WHERE w.status = 'active' AND w.generation > 0
  AND (w.platform = 'notion_export' OR w.polled_at IS NULL OR w.polled_at < now() - interval '30 seconds')
  AND (w.poll_after IS NULL OR w.poll_after <= now())
  AND l.credential_hash IS NULL
