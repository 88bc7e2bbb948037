-- What people decided on the nearest topics that a model found, the first decision first. Those that were second to
-- another topic have no margin, or one below 0: people see them only where they have rejected that one.
-- in: workspace_id, model
-- out: margin, is_accepted
SELECT k.margin, k.verdict = 'accepted' AS is_accepted
FROM taxonomy_decision k
WHERE k.workspace_id = %(workspace_id)s AND k.model = %(model)s AND k.origin = 'nearest' AND k.margin >= 0
ORDER BY k.decided_at, k.doc_id, k.node_id
