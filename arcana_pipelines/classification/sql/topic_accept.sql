-- Give a document a topic by a person's word; what else is suggested by nearness goes, and the default topic.
-- in: workspace_id, version, document_id, node_id
-- out: nothing
WITH gone AS (
    DELETE FROM doc_taxonomy
    WHERE workspace_id = %(workspace_id)s AND version = %(version)s AND doc_id = %(document_id)s
      AND node_id <> %(node_id)s AND hitl_required
      AND origin IN ('nearest', 'default')
)
INSERT INTO doc_taxonomy AS held (doc_id, node_id, version, workspace_id, path, confidence, origin, lft)
SELECT %(document_id)s, n.node_id, n.version, n.workspace_id, n.canonical_path, 1, 'person', n.lft
FROM taxonomy_nodes n
WHERE n.workspace_id = %(workspace_id)s AND n.version = %(version)s AND n.node_id = %(node_id)s
ON CONFLICT (doc_id, node_id, version) DO UPDATE SET
    confidence = 1, origin = 'person', hitl_required = false, reason = NULL, rule_id = NULL
