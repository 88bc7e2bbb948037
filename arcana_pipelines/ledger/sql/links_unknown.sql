-- Pages that indexed pages link to and that the ledger has never seen.
-- in: workspace_id, limit
-- out: external_id of each page
SELECT DISTINCT link.external_id
FROM source_page p
CROSS JOIN LATERAL unnest(p.links) AS link(external_id)
WHERE p.workspace_id = %(workspace_id)s AND p.state <> 'tombstoned'
  AND NOT EXISTS (SELECT 1 FROM source_page known
                  WHERE known.workspace_id = p.workspace_id AND known.external_id = link.external_id)
ORDER BY link.external_id
LIMIT %(limit)s;
