-- The rules of a workspace in their order.
-- in: workspace_id, version (the active one; NULL: none is)
-- out: rule_id, name, position, node_id, path (NULL: the version does not have its topic), conditions, confidence
SELECT r.rule_id, r.name, r.position, r.node_id, n.canonical_path AS path, r.conditions, r.confidence
FROM taxonomy_rule r
LEFT JOIN taxonomy_nodes n ON n.node_id = r.node_id AND n.version = %(version)s AND n.workspace_id = r.workspace_id
WHERE r.workspace_id = %(workspace_id)s
ORDER BY r.position, r.name
