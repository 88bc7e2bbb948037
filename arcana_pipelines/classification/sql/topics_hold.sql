-- Wait for people who are deciding on suggestions for these documents, and let others wait until the transaction ends.
-- in: workspace_id, version, documents (ids)
-- out: how many rows that are
WITH held AS (
    SELECT 1 FROM doc_taxonomy
    WHERE workspace_id = %(workspace_id)s AND version = %(version)s AND doc_id = ANY(%(documents)s::uuid[])
    ORDER BY doc_id, node_id
    FOR NO KEY UPDATE
)
SELECT count(*) FROM held
