-- The topics of documents in the active version, those that wait for a person too.
-- in: workspace_id, documents (ids)
-- out: doc_id, node_id, version, path, confidence, origin, hitl_required, reason, created_at
SELECT t.doc_id, t.node_id, t.version, t.path, t.confidence, t.origin, t.hitl_required, t.reason, t.created_at
FROM taxonomy_version v
JOIN doc_taxonomy t ON t.workspace_id = v.workspace_id AND t.version = v.version
WHERE v.workspace_id = %(workspace_id)s AND v.state = 'active' AND t.doc_id = ANY(%(documents)s::uuid[])
ORDER BY t.doc_id, t.lft;
