-- Nodes that were merged, split or retired, or that took such a one's place, from one version up to another that is
-- based on it, and nodes of the latter that the former does not have.
-- in: workspace_id, old (the later one), new (the earlier one)
-- out: node_id
WITH RECURSIVE chain AS (
    SELECT v.version, v.based_on FROM taxonomy_version v
    WHERE v.workspace_id = %(workspace_id)s AND v.version = %(old)s
    UNION
    SELECT v.version, v.based_on FROM chain c
    JOIN taxonomy_version v ON v.workspace_id = %(workspace_id)s AND v.version = c.based_on AND v.version <> %(new)s
)
SELECT n.node_id FROM chain
JOIN taxonomy_change c ON c.workspace_id = %(workspace_id)s AND c.version = chain.version
    AND c.kind IN ('merge', 'split', 'retire')
CROSS JOIN LATERAL unnest(ARRAY[c.from_node, c.to_node]) AS n (node_id)
WHERE n.node_id IS NOT NULL
UNION
SELECT n.node_id FROM taxonomy_nodes n
WHERE n.workspace_id = %(workspace_id)s AND n.version = %(old)s AND NOT EXISTS (
    SELECT FROM taxonomy_nodes e WHERE e.node_id = n.node_id AND e.version = %(new)s
)
