-- A whole listing did not show these pages although we hold them: suspects, until looked at directly.
-- in: workspace_id, generation
-- out: nothing
UPDATE source_page SET state = 'suspect', reason = 'missing from a complete listing', attempts = 0, next_attempt_at = NULL
WHERE workspace_id = %(workspace_id)s
  AND seen_generation < %(generation)s
  AND NOT is_container
  AND state NOT IN ('suspect', 'tombstoned')
  AND (document_id IS NOT NULL OR state <> 'skipped');
