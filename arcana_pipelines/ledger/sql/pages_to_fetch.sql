-- The pages to read, in the order in which they are read: pending ones, quarantined ones whose time has come, and
-- settled re-reads (a page that was read within its edit minute may have been edited again in the same minute).
-- The newest come first; then tree by tree those that lie below one page, the tree with the newest first.
-- in: workspace_id, settled_before (see pages_fetched.sql), reread_unsettled (true or false), newest (how many)
-- out: external_id
WITH RECURSIVE stale AS (
    SELECT external_id, parent_external_id, last_edited_at,
           row_number() OVER (ORDER BY last_edited_at DESC NULLS LAST, external_id) AS number
    FROM source_page
    WHERE workspace_id = %(workspace_id)s
      AND (state = 'pending'
           OR (state = 'quarantined' AND next_attempt_at <= now())
           -- Two conditions, because each has an index of its own.
           OR (state = 'unchanged' AND NOT settled AND (last_edited_at <= %(settled_before)s OR %(reread_unsettled)s))
           OR (state = 'fetched' AND NOT settled AND (last_edited_at <= %(settled_before)s OR %(reread_unsettled)s)))
), above AS (
    SELECT external_id, external_id AS top, parent_external_id AS parent, 0 AS height
    FROM stale WHERE number > %(newest)s
    UNION ALL
    -- A cycle has no top; any page of it does.
    SELECT a.external_id, p.external_id, p.parent_external_id, a.height + 1
    FROM above a JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.external_id = a.parent
    WHERE a.height < 64
), tree AS (
    SELECT DISTINCT ON (external_id) external_id, top FROM above ORDER BY external_id, height DESC
)
SELECT s.external_id
FROM stale s LEFT JOIN tree t USING (external_id)
ORDER BY least(s.number, %(newest)s + 1), min(s.number) OVER (PARTITION BY t.top), s.number;
