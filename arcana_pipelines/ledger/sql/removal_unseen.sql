-- Pages above others that the ledger has never seen: what was made, and trashed with all that is below it, between two
-- listings.
-- in: workspace_id, parents (ids of pages)
-- out: external_id of each
WITH RECURSIVE above AS (
    SELECT unnest(%(parents)s::text[]) AS external_id
    UNION
    SELECT p.parent_external_id
    FROM above JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.external_id = above.external_id
    WHERE p.parent_kind = 'page' AND p.parent_external_id IS NOT NULL
)
SELECT external_id FROM above
WHERE NOT EXISTS (SELECT FROM source_page p
                  WHERE p.workspace_id = %(workspace_id)s AND p.external_id = above.external_id)
ORDER BY external_id;
