-- The rules of a workspace in their order.
-- in: workspace_id
-- out: rule_id, name, position, node_id (as it was given), conditions, confidence
SELECT r.rule_id, r.name, r.position, r.node_id, r.conditions, r.confidence
FROM taxonomy_rule r
WHERE r.workspace_id = %(workspace_id)s
ORDER BY r.position, r.name
