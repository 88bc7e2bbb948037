-- How many documents are about each node itself.
-- in: workspace_id, version
-- out: node_id, documents; nodes without any are left out
SELECT node_id, count(*)
FROM doc_taxonomy
WHERE workspace_id = %(workspace_id)s AND version = %(version)s AND NOT hitl_required
GROUP BY node_id;
