-- Take away a topic of a document.
-- in: workspace_id, version, document_id, node_id
-- out: nothing
DELETE FROM doc_taxonomy
WHERE workspace_id = %(workspace_id)s AND version = %(version)s AND doc_id = %(document_id)s AND node_id = %(node_id)s
