-- What was said of nodes that are not what they were, in the import that made a version from another.
-- in: workspace_id, old, new (versions)
-- out: kind (merge, split or retire), from_node, to_node (or NULL), from_path, to_path (or NULL); by path
SELECT c.kind, c.from_node, c.to_node, o.canonical_path AS from_path, n.canonical_path AS to_path
FROM taxonomy_change c
LEFT JOIN taxonomy_nodes o ON o.node_id = c.from_node AND o.version = %(old)s AND o.workspace_id = c.workspace_id
LEFT JOIN taxonomy_nodes n ON n.node_id = c.to_node AND n.version = %(new)s AND n.workspace_id = c.workspace_id
WHERE c.workspace_id = %(workspace_id)s AND c.from_version = %(old)s AND c.version = %(new)s
  AND c.kind IN ('merge', 'split', 'retire')
ORDER BY o.canonical_path, n.canonical_path;
