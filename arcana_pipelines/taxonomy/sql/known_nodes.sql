-- Of some node ids, those that are in use, and whether in this workspace.
-- in: workspace_id, node_ids
-- out: node_id, is_ours
SELECT n.node_id, bool_or(n.workspace_id = %(workspace_id)s) AS is_ours
FROM taxonomy_nodes n WHERE n.node_id = ANY(%(node_ids)s) GROUP BY n.node_id
