-- What takes the place of nodes of one version that are others, or not there, in another that is based on it.
-- A node that goes without a successor leads to the next above it that is there.
-- in: workspace_id, old, new
-- out: from_node, from_path, to_node (NULL: nothing takes its place), kind ('merge', 'split', 'retire', 'missing')
WITH RECURSIVE said AS (
    SELECT c.from_node, c.to_node, c.kind FROM taxonomy_change c
    WHERE c.workspace_id = %(workspace_id)s AND c.version = %(new)s AND c.kind IN ('merge', 'split', 'retire')
),
here AS MATERIALIZED (
    SELECT n.node_id FROM taxonomy_nodes n WHERE n.workspace_id = %(workspace_id)s AND n.version = %(new)s
),
before AS MATERIALIZED (
    SELECT n.node_id, n.parent_id, n.canonical_path FROM taxonomy_nodes n
    WHERE n.workspace_id = %(workspace_id)s AND n.version = %(old)s
),
ending AS (
    SELECT b.node_id, b.parent_id, b.canonical_path, coalesce(s.kind, 'missing') AS kind
    FROM before b LEFT JOIN said s ON s.from_node = b.node_id
    WHERE s.to_node IS NULL AND NOT EXISTS (SELECT FROM here h WHERE h.node_id = b.node_id)
),
up (node_id, above, is_here) AS (
    SELECT e.node_id, e.parent_id, EXISTS (SELECT FROM here h WHERE h.node_id = e.parent_id) FROM ending e
    UNION ALL
    SELECT u.node_id, p.parent_id, EXISTS (SELECT FROM here h WHERE h.node_id = p.parent_id)
    FROM up u JOIN before p ON p.node_id = u.above WHERE NOT u.is_here
)
SELECT s.from_node, b.canonical_path AS from_path, s.to_node, s.kind
FROM said s JOIN before b ON b.node_id = s.from_node WHERE s.to_node IS NOT NULL
UNION ALL
SELECT e.node_id, e.canonical_path, u.above, e.kind
FROM ending e LEFT JOIN up u ON u.node_id = e.node_id AND u.is_here
