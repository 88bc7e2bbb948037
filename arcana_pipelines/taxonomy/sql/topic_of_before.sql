-- What became of a node that the active version has not, or not at this path: the nodes of the active version that stand
-- for it. A path is that of the newest released version that has it.
-- in: workspace_id, version, ordinal (of the active version), path (labels), node_id (NULL: that of the path)
-- out: node_id, path, lft, rgt, in the order of the tree
WITH RECURSIVE asked AS MATERIALIZED (
    SELECT taxonomy_path_key(%(path)s::text[]) AS path_key
), named AS MATERIALIZED (
    SELECT n.node_id
    FROM taxonomy_version v JOIN taxonomy_nodes n USING (workspace_id, version)
    WHERE v.workspace_id = %(workspace_id)s AND v.state <> 'draft' AND n.path_key = (SELECT path_key FROM asked)
    ORDER BY v.ordinal DESC
    LIMIT 1
), became AS (
    SELECT coalesce(%(node_id)s::uuid, (SELECT node_id FROM named)) AS node_id
    UNION
    SELECT c.to_node
    FROM became b
    JOIN taxonomy_change c ON c.workspace_id = %(workspace_id)s AND c.from_node = b.node_id
                          AND c.kind IN ('merge', 'split', 'retire') AND c.to_node IS NOT NULL
    JOIN taxonomy_version v ON v.workspace_id = c.workspace_id AND v.version = c.version
                           AND v.state <> 'draft' AND v.ordinal <= %(ordinal)s
    WHERE NOT EXISTS (SELECT FROM taxonomy_nodes n WHERE n.node_id = b.node_id AND n.version = %(version)s)
)
SELECT n.node_id, n.canonical_path AS path, n.lft, n.rgt
FROM became b
JOIN taxonomy_nodes n ON n.workspace_id = %(workspace_id)s AND n.version = %(version)s AND n.node_id = b.node_id
ORDER BY n.lft;
