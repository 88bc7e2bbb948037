-- The documents that have a topic by a rule.
-- in: workspace_id, version, rule (rule_id)
-- out: doc_id
SELECT DISTINCT t.doc_id
FROM doc_taxonomy t JOIN document d ON d.document_id = t.doc_id AND d.deleted_at IS NULL
WHERE t.workspace_id = %(workspace_id)s AND t.version = %(version)s AND t.rule_id = %(rule)s AND t.origin = 'rule'
