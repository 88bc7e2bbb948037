-- A whole listing did not show these pages although we hold them: suspects, until looked at directly. Archived ones and
-- those that come with another are shown by none.
-- in: workspace_id, generation
-- out: nothing
UPDATE source_page SET state = 'suspect', reason = 'missing from a complete listing', attempts = 0, next_attempt_at = NULL
WHERE workspace_id = %(workspace_id)s
  AND seen_generation < %(generation)s
  AND NOT is_container AND NOT is_archived AND comes_with IS NULL
  AND state NOT IN ('suspect', 'tombstoned')
  AND (document_id IS NOT NULL OR state <> 'skipped');
