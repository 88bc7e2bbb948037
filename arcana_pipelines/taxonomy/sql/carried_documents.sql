-- Documents with a topic in one of two versions.
-- in: workspace_id, old, new
-- out: doc_id
SELECT DISTINCT t.doc_id FROM doc_taxonomy t
WHERE t.workspace_id = %(workspace_id)s AND t.version IN (%(old)s, %(new)s) ORDER BY t.doc_id
