-- Topics that people have refused for documents.
-- in: documents (ids)
-- out: doc_id, node_id
SELECT doc_id, node_id FROM taxonomy_decision
WHERE doc_id = ANY(%(documents)s::uuid[]) AND verdict = 'rejected'
