-- Files whose bytes were stored.
-- in: workspace_id, files (JSON: external_id, sha256 in hex, size, kind, mime_type, storage_key)
-- out: nothing
WITH given AS (
    SELECT external_id, decode(sha256, 'hex') AS sha256, size, kind, mime_type, storage_key
    FROM json_to_recordset(%(files)s::json) AS t(
        external_id text, sha256 text, size bigint, kind text, mime_type text, storage_key text)
), stored AS (
    INSERT INTO stored_file AS held (workspace_id, sha256, size, kind, mime_type, storage_key)
    SELECT DISTINCT ON (sha256) %(workspace_id)s, sha256, size, kind, mime_type, storage_key FROM given
    ON CONFLICT (workspace_id, sha256) DO UPDATE SET
        kind = excluded.kind, mime_type = excluded.mime_type, storage_key = excluded.storage_key, unwanted_since = NULL
)
UPDATE source_file f SET
    state = 'stored', sha256 = given.sha256, fetched_at = now(), address = NULL, expires_at = NULL, reason = NULL,
    detail = NULL, policy = NULL, attempts = 0, next_attempt_at = NULL
FROM given
WHERE f.workspace_id = %(workspace_id)s AND f.external_id = given.external_id;
