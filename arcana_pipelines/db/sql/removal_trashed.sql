-- The source lists these pages in its trash; all that lies below them is suspect with them.
WITH RECURSIVE trashed AS (
    SELECT external_id FROM source_page
    WHERE workspace_id = %(workspace_id)s AND external_id = ANY(%(ids)s)
      AND state <> 'tombstoned' AND seen_generation < %(generation)s
), below AS (
    SELECT external_id FROM trashed
    UNION
    SELECT p.external_id FROM source_page p JOIN below b ON p.parent_external_id = b.external_id
    WHERE p.workspace_id = %(workspace_id)s
)
UPDATE source_page p SET
    state = CASE WHEN p.kind = 'data_source' THEN p.state ELSE 'suspect' END,
    in_trash = p.external_id IN (SELECT external_id FROM trashed),
    reason = CASE WHEN p.external_id IN (SELECT external_id FROM trashed) THEN 'in the trash'
                  ELSE 'below a page in the trash' END,
    attempts = 0
FROM below
WHERE p.workspace_id = %(workspace_id)s AND p.external_id = below.external_id
  AND p.state <> 'tombstoned' AND p.seen_generation < %(generation)s;
