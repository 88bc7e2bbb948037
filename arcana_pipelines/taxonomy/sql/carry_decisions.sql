-- What people said of a node that was merged holds for its successor: a yes always, a no unless another way led there.
-- in: workspace_id, new, from_nodes, to_nodes (of each node that was merged)
-- out: nothing
INSERT INTO taxonomy_decision (
    doc_id, node_id, workspace_id, verdict, decided_by, decided_at, content_id, origin, score, margin, model
)
SELECT DISTINCT ON (d.doc_id, m.to_node)
    d.doc_id, m.to_node, d.workspace_id, d.verdict, d.decided_by, d.decided_at, d.content_id, d.origin, d.score, d.margin,
    d.model
FROM unnest(%(from_nodes)s::uuid[], %(to_nodes)s::uuid[]) AS m (from_node, to_node)
JOIN taxonomy_decision d ON d.node_id = m.from_node AND d.workspace_id = %(workspace_id)s
WHERE d.verdict = 'accepted' OR NOT EXISTS (
    SELECT FROM doc_taxonomy t WHERE t.doc_id = d.doc_id AND t.node_id = m.to_node AND t.version = %(new)s
)
ORDER BY d.doc_id, m.to_node, d.verdict, d.decided_at DESC, d.node_id
ON CONFLICT (doc_id, node_id) DO NOTHING
