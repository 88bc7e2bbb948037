-- Files whose bytes are wanted, page by page: those that wait, and those whose time has come.
-- in: workspace_id, policy (what is allowed now), only (external ids; NULL: all)
-- out: the fields of FileToFetch
SELECT f.external_id, f.page_external_id, f.file_id, f.name, f.origin, f.caption, f.is_external, f.revision, f.address,
       f.expires_at
FROM source_file f
JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
WHERE f.workspace_id = %(workspace_id)s AND f.container IS NULL AND f.origin <> 'added'
  AND (%(only)s::text[] IS NULL OR f.external_id = ANY(%(only)s))
  AND (f.state = 'pending'
       OR f.state = 'quarantined' AND f.reason IN ('download failed', 'page not read') AND f.next_attempt_at <= now()
       OR f.state = 'skipped' AND f.sha256 IS NULL AND f.policy IS DISTINCT FROM %(policy)s)
ORDER BY p.last_edited_at DESC NULLS LAST, f.page_external_id, f.position;
