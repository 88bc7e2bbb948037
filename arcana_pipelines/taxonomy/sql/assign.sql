-- A person gives a document topics. Their word holds in later versions, and over what machines say: what else is suggested
-- by nearness goes, and the default topic.
-- in: workspace_id, version (the active one), document_id, nodes (ids), by
-- out: path of each that the document did not have by a person's word
WITH before AS (
    SELECT node_id, origin, score, margin FROM doc_taxonomy
    WHERE doc_id = %(document_id)s AND version = %(version)s AND node_id = ANY(%(nodes)s::uuid[])
), made AS (
    INSERT INTO doc_taxonomy AS held (doc_id, node_id, version, workspace_id, path, lft, confidence, hitl_required, origin)
    SELECT %(document_id)s, n.node_id, n.version, n.workspace_id, n.canonical_path, n.lft, 1, false, 'person'
    FROM taxonomy_nodes n
    WHERE n.workspace_id = %(workspace_id)s AND n.version = %(version)s AND n.node_id = ANY(%(nodes)s::uuid[])
    ON CONFLICT (doc_id, node_id, version) DO UPDATE SET
        origin = 'person', confidence = 1, hitl_required = false, reason = NULL, rule_id = NULL, score = NULL,
        margin = NULL, created_at = now()
    WHERE held.origin <> 'person' OR held.hitl_required
    RETURNING held.node_id, held.path
), gone AS (
    DELETE FROM doc_taxonomy
    WHERE doc_id = %(document_id)s AND version = %(version)s AND (origin = 'default' OR origin = 'nearest' AND hitl_required)
      AND node_id <> ALL(%(nodes)s::uuid[])
), decided AS (
    INSERT INTO taxonomy_decision AS held (doc_id, node_id, workspace_id, verdict, decided_by, content_id, origin, score,
                                           margin)
    SELECT %(document_id)s, asked.node_id, %(workspace_id)s, 'accepted', %(by)s, d.latest_content_id, before.origin,
           before.score, before.margin
    FROM unnest(%(nodes)s::uuid[]) asked(node_id)
    JOIN document d ON d.document_id = %(document_id)s
    LEFT JOIN before USING (node_id)
    ON CONFLICT (doc_id, node_id) DO UPDATE SET
        verdict = excluded.verdict, decided_by = excluded.decided_by, decided_at = now(),
        content_id = excluded.content_id, origin = excluded.origin, score = excluded.score, margin = excluded.margin,
        model = NULL
    WHERE held.verdict <> 'accepted'
)
SELECT path FROM made ORDER BY path;
