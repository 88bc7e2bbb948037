-- What somebody said of a topic of a document that can be seen.
-- in: workspace_id, document_id, node_id
-- out: verdict, decided_by, decided_at
SELECT k.verdict, k.decided_by, k.decided_at
FROM taxonomy_decision k
JOIN document d ON d.document_id = k.doc_id
WHERE k.workspace_id = %(workspace_id)s AND k.doc_id = %(document_id)s AND k.node_id = %(node_id)s
