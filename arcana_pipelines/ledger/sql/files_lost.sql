-- Forget bytes that the store does not have any more, with what was read of them. Files that have them wait to be fetched;
-- removed ones when they come back. One that lies in another has them again when that is read again. One that somebody has
-- added is nowhere else: it says so, and what is searched of it stays.
-- in: workspace_id, sha256
-- out: nothing
WITH forgotten AS (
    DELETE FROM stored_file WHERE workspace_id = %(workspace_id)s AND sha256 = %(sha256)s
)
UPDATE source_file SET
    sha256 = CASE WHEN container IS NOT NULL THEN sha256 END,
    state = CASE WHEN state = 'removed' THEN state
                 WHEN container IS NOT NULL THEN 'stored'
                 WHEN origin = 'added' THEN 'quarantined'
                 ELSE 'pending' END,
    reason = CASE WHEN state <> 'removed' AND container IS NULL AND origin = 'added' THEN 'bytes lost' ELSE reason END,
    detail = CASE WHEN state <> 'removed' AND container IS NULL AND origin = 'added'
                  THEN 'the store does not have its bytes any more: add it again' ELSE detail END,
    parser = NULL, attempts = 0, next_attempt_at = NULL
WHERE workspace_id = %(workspace_id)s AND sha256 = %(sha256)s;
