-- Workspaces whose source may be asked now. A folder costs nothing; a server costs requests, and is asked every 30 s at
-- most. What is put off for longer than anything is was put off by a clock that has been set back since.
-- in: cheap (names of the platforms that cost nothing)
-- out: the columns of workspace
SELECT w.* FROM workspace w
LEFT JOIN source_limit l ON l.credential_hash = w.credential_hash AND l.paused_until BETWEEN now() AND now() + interval '1 hour'
WHERE w.status = 'active' AND w.generation > 0
  AND (w.platform = ANY (%(cheap)s) OR w.polled_at IS NULL OR w.polled_at NOT BETWEEN now() - interval '30 seconds' AND now())
  AND (w.poll_after IS NULL OR w.poll_after NOT BETWEEN now() AND now() + interval '30 minutes')
  AND l.credential_hash IS NULL
