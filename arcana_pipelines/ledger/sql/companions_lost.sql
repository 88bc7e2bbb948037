-- What came with these pages and does not any more: their reading has just shown so. Nor does it return with its page.
-- in: workspace_id, pages (ids of pages that were read), brought (ids of all that came with them)
-- out: nothing
WITH gone AS (
    UPDATE source_page SET
        state = 'tombstoned', outcome = NULL, next_attempt_at = NULL, reason = 'not there any more',
        removed_at = CASE WHEN state = 'tombstoned' THEN removed_at ELSE now() END
    WHERE workspace_id = %(workspace_id)s AND comes_with = ANY(%(pages)s) AND external_id <> ALL(%(brought)s)
      AND (state <> 'tombstoned' OR reason = 'gone with its page')
    RETURNING document_id
)
UPDATE document d SET deleted_at = now(), updated_at = now()
FROM gone WHERE d.document_id = gone.document_id AND d.deleted_at IS NULL;
