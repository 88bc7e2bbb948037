-- The node that a path names in the active version of a workspace's taxonomy.
-- The key is computed before the policy of who asks: an index finds it then.
-- in: workspace_id, path (labels)
-- out: version, ordinal; node_id, path, lft, rgt (NULL: no such node). No row: no version is active
WITH asked AS MATERIALIZED (SELECT taxonomy_path_key(%(path)s::text[]) AS path_key)
SELECT v.version, v.ordinal, n.node_id, n.canonical_path AS path, n.lft, n.rgt
FROM taxonomy_version v
LEFT JOIN taxonomy_nodes n ON n.workspace_id = v.workspace_id AND n.version = v.version
                          AND n.path_key = (SELECT path_key FROM asked)
WHERE v.workspace_id = %(workspace_id)s AND v.state = 'active';
