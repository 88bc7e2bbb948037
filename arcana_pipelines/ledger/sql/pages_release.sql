-- A person asks for pages to be read again: one, whatever its state, or all that wait in quarantine. Files in quarantine
-- are tried again with it, or all of them.
-- in: workspace_id, page (its id; NULL: all in quarantine), again (reasons of parsers that may be another next time)
-- out: external_id of each
WITH forgotten AS (
    DELETE FROM embedding_rejected WHERE workspace_id = %(workspace_id)s
), files AS (
    -- What was read, and could not be cut or embedded, has its text again when the readings are settled.
    UPDATE source_file SET
        state = CASE WHEN parser IS NULL OR sha256 IS NULL OR reason IN ('download failed', 'page not read')
                          OR reason = ANY(%(again)s) THEN state ELSE 'stored' END,
        attempts = 0, next_attempt_at = now()
    WHERE workspace_id = %(workspace_id)s AND state = 'quarantined'
      AND (%(page)s::text IS NULL OR page_external_id = %(page)s)
)
UPDATE source_page SET state = 'pending', attempts = 0, next_attempt_at = NULL
WHERE workspace_id = %(workspace_id)s AND NOT is_container AND state <> 'tombstoned'
  AND CASE WHEN %(page)s::text IS NULL THEN state = 'quarantined' ELSE external_id = %(page)s END
RETURNING external_id;
