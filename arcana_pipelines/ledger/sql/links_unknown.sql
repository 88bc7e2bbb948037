-- Pages that indexed pages link to and that the ledger has never seen, then those that were removed and are not known to be
-- in the trash: what no listing shows comes back by such a look alone.
-- in: workspace_id, limit
-- out: external_id of each page
SELECT link.external_id
FROM source_page p
CROSS JOIN LATERAL unnest(p.links) AS link(external_id)
LEFT JOIN source_page known ON known.workspace_id = p.workspace_id AND known.external_id = link.external_id
WHERE p.workspace_id = %(workspace_id)s AND p.state <> 'tombstoned'
  AND (known.external_id IS NULL
       OR (known.state = 'tombstoned' AND NOT known.in_trash
           AND known.reason IS DISTINCT FROM 'below a page in the trash'))
GROUP BY link.external_id
ORDER BY bool_or(known.external_id IS NOT NULL), link.external_id
LIMIT %(limit)s;
