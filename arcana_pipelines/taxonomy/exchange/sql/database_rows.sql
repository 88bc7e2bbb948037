-- The rows of a database with their properties.
-- in: workspace_id, external_id (of the database), most (rows)
-- out: external_id, title, properties; by title
SELECT p.external_id, p.title, p.properties
FROM source_page p
WHERE p.workspace_id = %(workspace_id)s AND p.parent_external_id = %(external_id)s
  AND p.kind = 'row' AND NOT p.is_internal AND p.state <> 'tombstoned' AND NOT p.in_trash
ORDER BY p.title, p.external_id
LIMIT %(most)s;
