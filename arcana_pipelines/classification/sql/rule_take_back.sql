-- Take back what a rule assigned, in all versions.
-- in: workspace_id, rule (rule_id)
-- out: how many documents had something of it
WITH gone AS (
    DELETE FROM doc_taxonomy
    WHERE workspace_id = %(workspace_id)s AND rule_id = %(rule)s AND origin = 'rule'
    RETURNING doc_id
)
SELECT count(DISTINCT doc_id) FROM gone
