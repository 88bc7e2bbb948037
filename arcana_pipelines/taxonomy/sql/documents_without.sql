-- How many documents have a topic in one version and none in another.
-- in: workspace_id, old, new
-- out: one row: documents
SELECT count(DISTINCT a.doc_id) FROM doc_taxonomy a
WHERE a.workspace_id = %(workspace_id)s AND a.version = %(old)s
  AND NOT EXISTS (SELECT FROM doc_taxonomy b WHERE b.doc_id = a.doc_id AND b.version = %(new)s)
