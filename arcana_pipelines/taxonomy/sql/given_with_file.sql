-- Keep the topics that somebody gives with a file. What was taken from it before, they have given again.
-- in: workspace_id, document_id, nodes (ids)
-- out: node_id of each topic that it was given before, by the same way, and is no more
WITH again AS (
    DELETE FROM taxonomy_decision
    WHERE doc_id = %(document_id)s AND node_id = ANY(%(nodes)s::uuid[]) AND verdict = 'rejected'
), kept AS (
    UPDATE source_file SET topics = %(nodes)s::uuid[]
    WHERE workspace_id = %(workspace_id)s AND document_id = %(document_id)s
      AND topics IS DISTINCT FROM %(nodes)s::uuid[]
)
SELECT DISTINCT t.node_id FROM doc_taxonomy t
WHERE t.workspace_id = %(workspace_id)s AND t.doc_id = %(document_id)s AND t.origin = 'given'
  AND t.node_id <> ALL(%(nodes)s::uuid[]);
