-- Topics with the labels of all that stands above them, in a language where they have one there.
-- in: workspace_id, version, nodes (ids), language
-- out: node_id, labels (from the uppermost on)
WITH RECURSIVE above AS (
    SELECT n.node_id, n.parent_id, coalesce(n.labels->>%(language)s, n.label) AS label, 0 AS steps
    FROM taxonomy_nodes n
    WHERE n.workspace_id = %(workspace_id)s AND n.version = %(version)s AND n.node_id = ANY(%(nodes)s)
    UNION ALL
    SELECT a.node_id, p.parent_id, coalesce(p.labels->>%(language)s, p.label), a.steps + 1
    FROM above a
    JOIN taxonomy_nodes p ON p.node_id = a.parent_id AND p.version = %(version)s
    WHERE p.workspace_id = %(workspace_id)s
)
SELECT node_id, array_agg(label ORDER BY steps DESC) AS labels FROM above GROUP BY node_id;
