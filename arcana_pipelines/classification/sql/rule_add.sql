-- Make a rule.
-- in: workspace_id, name, position, node_id, conditions (JSON), confidence
-- out: rule_id
INSERT INTO taxonomy_rule (workspace_id, name, position, node_id, conditions, confidence)
VALUES (%(workspace_id)s, %(name)s, %(position)s, %(node_id)s, %(conditions)s, %(confidence)s)
RETURNING rule_id
