-- A suggestion that waits for a person, which nobody else decides on until the transaction ends.
-- in: workspace_id, version, document_id, node_id
-- out: path; no row: nothing waits, or the document is not seen
SELECT t.path
FROM doc_taxonomy t
JOIN document d ON d.document_id = t.doc_id AND d.deleted_at IS NULL
WHERE t.workspace_id = %(workspace_id)s AND t.version = %(version)s AND t.doc_id = %(document_id)s
  AND t.node_id = %(node_id)s AND t.hitl_required
FOR UPDATE OF t
