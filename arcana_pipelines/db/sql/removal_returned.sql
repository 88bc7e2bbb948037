-- Removed pages that may be back: those that left the trash, and those below a page that is listed again.
WITH RECURSIVE returned AS (
    SELECT external_id FROM source_page
    WHERE workspace_id = %(workspace_id)s AND seen_generation = %(generation)s AND state IN ('fetched', 'pending')
), below AS (
    SELECT external_id FROM returned
    UNION
    SELECT p.external_id FROM source_page p JOIN below b ON p.parent_external_id = b.external_id
    WHERE p.workspace_id = %(workspace_id)s AND (p.state = 'tombstoned' OR p.kind = 'data_source')
)
SELECT p.external_id FROM source_page p
WHERE p.workspace_id = %(workspace_id)s AND p.state = 'tombstoned'
  AND ((%(trash_known)s AND p.in_trash AND NOT p.external_id = ANY(%(trash)s)
        AND (%(trash_since)s::timestamptz IS NULL OR p.last_edited_at > %(trash_since)s))
       OR (NOT p.in_trash AND p.reason = 'below a page in the trash'
           AND p.external_id IN (SELECT external_id FROM below)))
ORDER BY p.external_id;
