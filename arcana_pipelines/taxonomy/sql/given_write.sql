-- Give documents the topics that they bring, and take away those that they brought before and bring no more. What a person
-- gave or took away stays as it is, and what waits for a person waits.
-- in: workspace_id, version (the active one), given (JSON: doc_id, node_id, reason), gone (JSON: doc_id, node_id),
--     undefaulted (ids of documents that are not to have the default node), defaulted (JSON: doc_id, reason),
--     default_node (NULL: there is none)
-- out: what was done (given, ended, default), doc_id, node_id, path
WITH wanted AS (
    SELECT DISTINCT ON (t.doc_id, t.node_id) t.doc_id, t.node_id, 'given' AS origin, t.reason, 1.0 AS confidence
    FROM jsonb_to_recordset(%(given)s::jsonb) AS t(doc_id uuid, node_id uuid, reason text)
    UNION ALL
    SELECT t.doc_id, %(default_node)s::uuid, 'default', t.reason, 0.0
    FROM jsonb_to_recordset(%(defaulted)s::jsonb) AS t(doc_id uuid, reason text)
), ended AS (
    DELETE FROM doc_taxonomy t
    USING jsonb_to_recordset(%(gone)s::jsonb) AS g(doc_id uuid, node_id uuid)
    WHERE t.doc_id = g.doc_id AND t.node_id = g.node_id AND t.version = %(version)s AND t.origin = 'given'
    RETURNING t.doc_id, t.node_id, t.path
), undefaulted AS (
    DELETE FROM doc_taxonomy t
    USING unnest(%(undefaulted)s::uuid[]) AS g(doc_id)
    WHERE t.doc_id = g.doc_id AND t.version = %(version)s AND t.origin = 'default'
      AND NOT EXISTS (SELECT FROM wanted w WHERE w.doc_id = t.doc_id AND w.node_id = t.node_id)
    RETURNING t.doc_id, t.node_id, t.path
), made AS (
    INSERT INTO doc_taxonomy AS held (doc_id, node_id, version, workspace_id, path, lft, confidence, hitl_required, origin,
                                      reason)
    SELECT w.doc_id, n.node_id, n.version, n.workspace_id, n.canonical_path, n.lft, w.confidence, w.origin = 'default',
           w.origin, w.reason
    FROM wanted w
    JOIN taxonomy_nodes n ON n.node_id = w.node_id AND n.version = %(version)s AND n.workspace_id = %(workspace_id)s
    JOIN document d ON d.document_id = w.doc_id AND d.workspace_id = n.workspace_id
    WHERE NOT EXISTS (SELECT FROM taxonomy_decision r
                      WHERE r.doc_id = w.doc_id AND r.node_id = w.node_id AND r.verdict = 'rejected')
    ON CONFLICT (doc_id, node_id, version) DO UPDATE SET
        origin = excluded.origin, confidence = excluded.confidence, hitl_required = false, reason = excluded.reason,
        rule_id = NULL, score = NULL, margin = NULL, created_at = now()
    WHERE excluded.origin = 'given' AND held.origin <> 'person' AND (held.origin <> 'given' OR held.hitl_required)
    RETURNING held.doc_id, held.node_id, held.path, held.origin
)
SELECT origin, doc_id, node_id, path FROM made
UNION ALL SELECT 'ended', doc_id, node_id, path FROM ended
UNION ALL SELECT 'ended', doc_id, node_id, path FROM undefaulted
ORDER BY 2, 4, 1;
