-- What people decided on the nearest topic that a model found of a document, the first decision first. Of each document the
-- first counts: what is suggested after a rejection is another question. Topics that were second to another have a margin
-- below 0, and people see them only where they have rejected that one.
-- in: workspace_id, model
-- out: margin, is_accepted
SELECT d.margin, d.is_accepted
FROM (
    SELECT DISTINCT ON (k.doc_id) k.doc_id, k.margin, k.verdict = 'accepted' AS is_accepted, k.decided_at
    FROM taxonomy_decision k
    WHERE k.workspace_id = %(workspace_id)s AND k.model = %(model)s AND k.origin = 'nearest' AND k.margin >= 0
    ORDER BY k.doc_id, k.decided_at, k.node_id
) d
ORDER BY d.decided_at, d.doc_id
