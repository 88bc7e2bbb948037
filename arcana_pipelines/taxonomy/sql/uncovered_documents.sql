-- How many documents have a topic in one version, none in another, and none that ended with the latter. What is only near
-- and waits for a person is looked for again.
-- in: workspace_id, old, new
-- out: one row: documents
SELECT count(DISTINCT a.doc_id) FROM doc_taxonomy a
WHERE a.workspace_id = %(workspace_id)s AND a.version = %(old)s
  AND NOT (a.origin = 'nearest' AND a.hitl_required)
  AND NOT EXISTS (SELECT FROM doc_taxonomy b WHERE b.doc_id = a.doc_id AND b.version = %(new)s)
  AND NOT EXISTS (SELECT FROM taxonomy_ended e WHERE e.doc_id = a.doc_id AND e.version = %(new)s)
