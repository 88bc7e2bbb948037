-- Stored bytes that a live file has and that the parser of their kind has not read yet, in the version and with the options
-- that hold now; or could not, and it is time to try again.
-- in: workspace_id, parsers (JSON: the parser of each kind that one reads), again (reasons that are worth another try)
-- out: sha256, kind, parser, storage_key, size, name (that one of them has), attempts
SELECT s.sha256, s.kind, coalesce(wanted.parser, 'none/1') AS parser, s.storage_key, s.size,
       min(f.name) AS name, coalesce(p.attempts, 0) AS attempts
FROM source_file f
JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256
LEFT JOIN LATERAL (SELECT %(parsers)s::jsonb->>s.kind AS parser) wanted ON true
LEFT JOIN parsed_file p ON p.workspace_id = s.workspace_id AND p.sha256 = s.sha256
    AND p.parser = coalesce(wanted.parser, 'none/1')
WHERE f.workspace_id = %(workspace_id)s
  AND (f.state = 'stored' OR f.state IN ('parsed', 'skipped', 'quarantined')
                             AND f.parser IS DISTINCT FROM coalesce(wanted.parser, 'none/1')
       OR f.state = 'quarantined' AND f.next_attempt_at <= now())
  AND (p.sha256 IS NULL
       OR p.reason = ANY(%(again)s) AND f.state = 'quarantined' AND f.next_attempt_at <= now())
GROUP BY s.sha256, s.kind, wanted.parser, s.storage_key, s.size, p.attempts
ORDER BY s.size, s.sha256;
