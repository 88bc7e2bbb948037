-- The nodes right below others, with everything that each is called.
-- in: workspace_id, version, parents (ids), of_roots (whether the roots are meant instead), most
-- out: node_id, parent_id, path, names (its label first)
SELECT n.node_id, n.parent_id, n.canonical_path AS path,
       n.label || n.synonyms || ARRAY(SELECT named.value FROM jsonb_each_text(n.labels) named) AS names
FROM taxonomy_nodes n
WHERE n.workspace_id = %(workspace_id)s AND n.version = %(version)s
  AND (n.parent_id = ANY(%(parents)s::uuid[]) OR %(of_roots)s AND n.parent_id IS NULL)
ORDER BY n.lft
LIMIT %(most)s;
