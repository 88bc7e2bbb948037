-- The node of this id in the active version of a workspace's taxonomy.
-- in: workspace_id, node_id
-- out: version, ordinal; node_id, path, lft, rgt (NULL: no such node). No row: no version is active
SELECT v.version, v.ordinal, n.node_id, n.canonical_path AS path, n.lft, n.rgt
FROM taxonomy_version v
LEFT JOIN taxonomy_nodes n ON n.workspace_id = v.workspace_id AND n.version = v.version AND n.node_id = %(node_id)s
WHERE v.workspace_id = %(workspace_id)s AND v.state = 'active';
