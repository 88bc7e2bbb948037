-- Documents whose topics people or their source have said, or a rule that rests now.
-- in: workspace_id, version, documents (ids), resting (rule_ids)
-- out: doc_id
SELECT DISTINCT doc_id FROM doc_taxonomy
WHERE workspace_id = %(workspace_id)s AND version = %(version)s AND doc_id = ANY(%(documents)s::uuid[])
  AND (origin IN ('given', 'person') OR rule_id = ANY(%(resting)s::uuid[])) AND NOT hitl_required
