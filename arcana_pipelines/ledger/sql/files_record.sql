-- Record which files hang on pages that were read. One is fetched when it is new, or when its id or revision says that its
-- bytes may be others; its address is kept until then. What is as it was is not written. Those that their page does not have any more are removed.
-- in: workspace_id, pages (external ids), files (JSON: external_id, page, and what FileRef says, and lasts: seconds that the address does, or NULL)
-- out: nothing
WITH given AS (
    SELECT * FROM json_to_recordset(%(files)s::json) AS t(
        external_id text, page text, file_id text, position int, name text, origin text, caption text,
        is_external boolean, revision text, address text, lasts double precision)
), recorded AS (
    INSERT INTO source_file AS held (
        workspace_id, external_id, page_external_id, file_id, position, name, origin, caption, is_external, revision,
        address, expires_at)
    SELECT %(workspace_id)s, external_id, page, file_id, position, name, origin, caption, is_external, revision, address,
           now() + make_interval(secs => lasts)
    FROM given
    ON CONFLICT (workspace_id, external_id) DO UPDATE SET
        file_id = excluded.file_id,
        position = excluded.position,
        name = excluded.name,
        origin = excluded.origin,
        caption = excluded.caption,
        is_external = excluded.is_external,
        revision = excluded.revision,
        (state, address, expires_at, attempts, next_attempt_at, reason, detail) = (
            SELECT next.state,
                   CASE WHEN next.is_wanted THEN excluded.address END,
                   CASE WHEN next.is_wanted THEN excluded.expires_at END,
                   CASE WHEN next.state = 'quarantined' THEN held.attempts ELSE 0 END,
                   CASE WHEN next.state = 'quarantined' THEN held.next_attempt_at END,
                   CASE WHEN next.state IN ('quarantined', 'skipped') THEN held.reason END,
                   CASE WHEN next.state IN ('quarantined', 'skipped') THEN held.detail END
            FROM (SELECT was.state, was.state = 'pending'
                      -- One that ends is worth nothing when the time has come.
                      OR was.state = 'quarantined' AND held.reason IN ('download failed', 'page not read')
                         AND (excluded.expires_at IS NULL OR held.next_attempt_at <= now()) AS is_wanted
                  FROM (SELECT CASE
                WHEN (held.file_id, held.revision) IS DISTINCT FROM (excluded.file_id, excluded.revision) THEN 'pending'
                WHEN held.state = 'removed' THEN CASE WHEN held.sha256 IS NULL THEN 'pending' ELSE 'stored' END
                ELSE held.state
            END AS state) was) next
        ),
        -- What is searched of it stays until the new bytes are read.
        sha256 = CASE WHEN (held.file_id, held.revision) IS NOT DISTINCT FROM (excluded.file_id, excluded.revision)
                      THEN held.sha256 END,
        removed_at = NULL
    WHERE (held.file_id, held.position, held.name, held.origin, held.caption, held.is_external, held.revision)
          IS DISTINCT FROM (excluded.file_id, excluded.position, excluded.name, excluded.origin, excluded.caption,
                            excluded.is_external, excluded.revision)
       OR held.state IN ('pending', 'quarantined', 'removed')
)
UPDATE source_file f SET state = 'removed', reason = NULL, removed_at = coalesce(f.removed_at, now()), address = NULL,
                         expires_at = NULL
WHERE f.workspace_id = %(workspace_id)s AND f.page_external_id = ANY(%(pages)s)
  AND f.origin <> 'added' AND f.container IS NULL
  -- One that went with its page does not come back with it when the page has it no more.
  AND (f.state <> 'removed' OR f.reason IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM given WHERE given.external_id = f.external_id);
