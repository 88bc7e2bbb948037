-- Remove documents whose absence is proven, with the tickets that they are. Their chunks leave the indexes with the next
-- publish; body, contents and embeddings stay, so that a page that returns costs nothing.
-- in: workspace_id, ids
-- out: nothing
WITH gone AS (
    UPDATE source_page SET state = 'tombstoned', outcome = NULL, next_attempt_at = NULL, removed_at = now()
    WHERE workspace_id = %(workspace_id)s AND external_id = ANY(%(ids)s)
    RETURNING document_id
), records AS (
    UPDATE tickets t SET removed_at = now()
    FROM gone WHERE t.document_id = gone.document_id AND t.removed_at IS NULL
)
UPDATE document d SET deleted_at = now(), updated_at = now()
FROM gone WHERE d.document_id = gone.document_id AND d.deleted_at IS NULL;
