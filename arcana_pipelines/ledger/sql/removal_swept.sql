-- Pages that a whole sweep did not show and a direct look did not find: suspects, unless this sync has listed them.
-- in: workspace_id, generation
-- out: nothing
WITH taken AS (
    DELETE FROM unlisted_page WHERE workspace_id = %(workspace_id)s AND is_missed RETURNING external_id
)
UPDATE source_page p SET state = 'suspect', reason = 'missing from a complete listing', attempts = 0, next_attempt_at = NULL
FROM taken
WHERE p.workspace_id = %(workspace_id)s AND p.external_id = taken.external_id
  AND p.seen_generation < %(generation)s
  AND p.state NOT IN ('suspect', 'tombstoned');
