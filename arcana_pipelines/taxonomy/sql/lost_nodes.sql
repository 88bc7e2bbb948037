-- Nodes of one version that another does not have.
-- in: workspace_id, old, new
-- out: node_id
SELECT n.node_id FROM taxonomy_nodes n
WHERE n.workspace_id = %(workspace_id)s AND n.version = %(old)s AND NOT EXISTS (
    SELECT FROM taxonomy_nodes e WHERE e.node_id = n.node_id AND e.version = %(new)s
)
