-- Pages above others of which the ledger does not know whether they are in the trash now. No listing has ever shown them:
-- what was made, and trashed with all that is below it, between two listings. Or they are gone for another reason: what
-- was hidden in the trash, and is shown again there.
-- in: workspace_id, parents (external_id), are_pages (whether each is a page, or holds pages)
-- out: external_id of each
WITH RECURSIVE above AS (
    SELECT * FROM unnest(%(parents)s::text[], %(are_pages)s::boolean[]) AS named (external_id, is_page)
    UNION
    SELECT p.parent_external_id, p.parent_kind = 'page'
    FROM above JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.external_id = above.external_id
    WHERE p.parent_kind <> 'block' AND p.parent_external_id IS NOT NULL
)
SELECT DISTINCT external_id FROM above
WHERE is_page
  AND NOT EXISTS (SELECT FROM source_page p
                  WHERE p.workspace_id = %(workspace_id)s AND p.external_id = above.external_id
                    AND (p.state <> 'tombstoned' OR p.in_trash OR p.reason = 'below a page in the trash'))
ORDER BY external_id;
