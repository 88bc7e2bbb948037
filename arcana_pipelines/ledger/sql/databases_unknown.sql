-- Databases that no listing has shown yet although rows of them are new or changed.
-- in: workspace_id, limit
-- out: external_id of each database
SELECT DISTINCT p.parent_external_id
FROM source_page p
WHERE p.workspace_id = %(workspace_id)s AND p.kind = 'row' AND p.state IN ('pending', 'fetched')
  AND p.parent_external_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM source_page known
                  WHERE known.workspace_id = p.workspace_id AND known.external_id = p.parent_external_id)
ORDER BY p.parent_external_id
LIMIT %(limit)s;
