-- Files whose bytes could not be had, or may not be. What could not be had is tried again later, as pages are; what is
-- served of it stays.
-- in: workspace_id, policy, files (JSON: external_id, state, reason, detail)
-- out: nothing
WITH failed AS (
    SELECT * FROM json_to_recordset(%(files)s::json) AS t(external_id text, state text, reason text, detail text)
)
UPDATE source_file f SET
    state = failed.state,
    reason = failed.reason,
    detail = failed.detail,
    policy = CASE WHEN failed.state = 'skipped' THEN %(policy)s END,
    sha256 = CASE WHEN failed.state = 'skipped' THEN NULL ELSE f.sha256 END,
    address = CASE WHEN failed.state = 'quarantined' AND f.expires_at IS NULL THEN f.address END,
    attempts = f.attempts + 1,
    next_attempt_at = CASE WHEN failed.state = 'quarantined' AND f.attempts < 9
                           THEN now() + interval '1 minute' * power(4, least(f.attempts, 6)) END
FROM failed
WHERE f.workspace_id = %(workspace_id)s AND f.external_id = failed.external_id;
