-- The source lists these pages and databases in its trash; all that lies below them is suspect with them. One that was
-- removed for another reason is in the trash from now on: it may have been hidden, with all that is above it, and shown
-- again there.
-- A page that stands inside a block (a toggle, a column) has that block as its parent: what links to it may
-- be the page around it. A direct look decides.
-- in: workspace_id, generation, ids
-- out: nothing
WITH RECURSIVE trashed AS (
    SELECT external_id FROM source_page
    WHERE workspace_id = %(workspace_id)s AND external_id = ANY(%(ids)s)
      AND (state <> 'tombstoned' OR NOT in_trash) AND (seen_generation < %(generation)s OR is_container)
), below AS (
    SELECT external_id FROM trashed
    UNION
    SELECT p.external_id FROM source_page p JOIN below b
        ON p.parent_external_id = b.external_id
        OR (p.parent_kind = 'block' AND EXISTS (
                SELECT 1 FROM source_page holder
                WHERE holder.workspace_id = p.workspace_id AND holder.external_id = b.external_id
                  AND p.external_id = ANY(holder.links)))
    WHERE p.workspace_id = %(workspace_id)s
)
UPDATE source_page p SET
    state = CASE WHEN p.is_container OR p.state = 'tombstoned' THEN p.state ELSE 'suspect' END,
    in_trash = p.in_trash OR p.external_id IN (SELECT external_id FROM trashed),
    reason = CASE WHEN p.is_container THEN p.reason
                  WHEN p.external_id IN (SELECT external_id FROM trashed) THEN 'in the trash'
                  ELSE 'below a page in the trash' END,
    attempts = CASE WHEN p.state = 'suspect' THEN p.attempts ELSE 0 END,
    next_attempt_at = NULL
FROM below
WHERE p.workspace_id = %(workspace_id)s AND p.external_id = below.external_id
  AND (p.state <> 'tombstoned' OR p.external_id IN (SELECT external_id FROM trashed))
  AND (p.seen_generation < %(generation)s OR p.is_container)
  AND NOT (p.is_container AND p.in_trash) AND p.comes_with IS NULL;
