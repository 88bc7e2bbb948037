-- A person asks for pages to be read again: one, whatever its state, or all that wait in quarantine.
-- in: workspace_id, page (its id; NULL: all in quarantine)
-- out: external_id of each
WITH forgotten AS (
    DELETE FROM embedding_rejected WHERE workspace_id = %(workspace_id)s
)
UPDATE source_page SET state = 'pending', attempts = 0, next_attempt_at = NULL
WHERE workspace_id = %(workspace_id)s AND NOT is_container AND state <> 'tombstoned'
  AND CASE WHEN %(page)s::text IS NULL THEN state = 'quarantined' ELSE external_id = %(page)s END
RETURNING external_id;
