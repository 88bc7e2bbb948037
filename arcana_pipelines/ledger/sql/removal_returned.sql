-- Removed pages that may be back, marked to be looked at: those that left the trash, and those below something that is
-- listed again. They stay so until a look says where they are, in whichever sync.
-- in: workspace_id, generation, trash_known, trash, trash_since (see removal_restored_databases.sql)
-- out: nothing
WITH RECURSIVE returned AS (
    SELECT external_id FROM source_page
    WHERE workspace_id = %(workspace_id)s AND seen_generation = %(generation)s AND NOT in_trash
      AND (state IN ('fetched', 'pending') OR is_container)
), below AS (
    SELECT external_id FROM returned
    UNION
    SELECT p.external_id FROM source_page p JOIN below b
        ON p.parent_external_id = b.external_id
        OR (p.parent_kind = 'block' AND EXISTS (
                SELECT 1 FROM source_page holder
                WHERE holder.workspace_id = p.workspace_id AND holder.external_id = b.external_id
                  AND p.external_id = ANY(holder.links)))
    WHERE p.workspace_id = %(workspace_id)s AND (p.state = 'tombstoned' OR (p.is_container AND NOT p.in_trash))
)
UPDATE source_page p SET next_attempt_at = now()
WHERE p.workspace_id = %(workspace_id)s AND p.state = 'tombstoned' AND p.next_attempt_at IS NULL
  AND ((%(trash_known)s AND p.in_trash AND NOT p.external_id = ANY(%(trash)s)
        AND (%(trash_since)s::timestamptz IS NULL OR p.last_edited_at > %(trash_since)s))
       OR (NOT p.in_trash AND p.reason = 'below a page in the trash'
           AND p.external_id IN (SELECT external_id FROM below)));
