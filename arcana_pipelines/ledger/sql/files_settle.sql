-- Files whose bytes have been read say so: with text, or why without.
-- in: workspace_id, parsers (JSON: the parser of each kind that one reads), again (reasons that may be another next time)
-- out: how many changed
WITH read AS (
    SELECT f.external_id, f.sha256, p.parser, p.reason, p.detail,
           CASE WHEN p.reason IS NULL THEN 'parsed'
                WHEN p.reason = ANY(%(again)s) THEN 'quarantined'
                ELSE 'skipped' END AS state,
           -- A process that crashed is tried once more, a service that did not answer for a week.
           CASE WHEN p.reason = ANY(%(again)s) AND p.attempts < CASE p.reason WHEN 'service_failed' THEN 9 ELSE 2 END
                THEN p.parsed_at + interval '10 minutes' * least(power(3, p.attempts - 1), 144) END AS next
    FROM source_file f
    JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256
    JOIN parsed_file p ON p.workspace_id = f.workspace_id AND p.sha256 = f.sha256
        AND p.parser = coalesce(%(parsers)s::jsonb->>s.kind, 'none/1')
    WHERE f.workspace_id = %(workspace_id)s AND f.state IN ('stored', 'parsed', 'skipped', 'quarantined')
), changed AS (
    UPDATE source_file f SET
        state = read.state, parser = read.parser, reason = read.reason, detail = read.detail, next_attempt_at = read.next
    FROM read
    WHERE f.workspace_id = %(workspace_id)s AND f.external_id = read.external_id
      -- What somebody removes, or adds other bytes of, at this moment is not what was read.
      AND f.state <> 'removed' AND f.sha256 = read.sha256
      AND (f.state, f.parser, f.reason, f.next_attempt_at)
          IS DISTINCT FROM (read.state, read.parser, read.reason, read.next)
      -- What cannot be cut or embedded keeps its own reason until its text is another.
      AND NOT (f.state = 'quarantined' AND f.parser = read.parser AND read.state = 'parsed'
               AND NOT coalesce(f.reason = ANY(%(again)s), false))
    RETURNING 1
)
SELECT count(*) FROM changed;
