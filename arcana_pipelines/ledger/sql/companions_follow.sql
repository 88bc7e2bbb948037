-- What comes with a page goes and returns with it; where the source is asked for none, all of it goes, and what tickets
-- have of it.
-- in: workspace_id, generation, are_read (the source is asked for what comes with pages)
-- out: how many are back
WITH companion AS (
    SELECT c.external_id, c.document_id, c.state = 'tombstoned' AS is_gone,
           CASE WHEN NOT %(are_read)s THEN 'not read any more'
                WHEN page.external_id IS NULL OR page.state = 'tombstoned' THEN 'gone with its page' END AS goes,
           c.reason, page.state IN ('fetched', 'unchanged') AS is_page_read
    FROM source_page c
    LEFT JOIN source_page page ON page.workspace_id = c.workspace_id AND page.external_id = c.comes_with
    WHERE c.workspace_id = %(workspace_id)s AND c.comes_with IS NOT NULL
), gone AS (
    UPDATE source_page p SET
        state = 'tombstoned', outcome = NULL, next_attempt_at = NULL, removed_at = now(), reason = companion.goes
    FROM companion
    WHERE p.workspace_id = %(workspace_id)s AND p.external_id = companion.external_id
      AND NOT companion.is_gone AND companion.goes IS NOT NULL
    RETURNING p.document_id
), removed AS (
    UPDATE document d SET deleted_at = now(), updated_at = now()
    FROM gone WHERE d.document_id = gone.document_id AND d.deleted_at IS NULL
), unread AS (
    DELETE FROM conversations c USING tickets t
    WHERE NOT %(are_read)s AND t.workspace_id = %(workspace_id)s AND c.ticket_id = t.id AND c.message_type = 'private'
), back AS (
    UPDATE source_page p SET
        state = 'fetched', removed_at = NULL, reason = NULL, seen_generation = %(generation)s
    FROM companion
    WHERE p.workspace_id = %(workspace_id)s AND p.external_id = companion.external_id
      AND companion.is_gone AND companion.goes IS NULL AND companion.reason = 'gone with its page'
      -- One that is to be read brings it.
      AND companion.is_page_read
    RETURNING 1
)
SELECT count(*) FROM back;
