-- A person takes topics from a document, which machines give it no more.
-- in: workspace_id, version (the active one), document_id, nodes (ids), by
-- out: path of each that was taken away, or that nobody has rejected before
WITH ended AS (
    DELETE FROM doc_taxonomy
    WHERE doc_id = %(document_id)s AND version = %(version)s AND node_id = ANY(%(nodes)s::uuid[])
    RETURNING node_id, origin, score, margin
), decided AS (
    INSERT INTO taxonomy_decision AS held (doc_id, node_id, workspace_id, verdict, decided_by, content_id, origin, score,
                                           margin)
    SELECT %(document_id)s, asked.node_id, %(workspace_id)s, 'rejected', %(by)s, d.latest_content_id, ended.origin,
           ended.score, ended.margin
    FROM unnest(%(nodes)s::uuid[]) asked(node_id)
    JOIN document d ON d.document_id = %(document_id)s
    LEFT JOIN ended USING (node_id)
    ON CONFLICT (doc_id, node_id) DO UPDATE SET
        verdict = excluded.verdict, decided_by = excluded.decided_by, decided_at = now(),
        content_id = excluded.content_id, origin = excluded.origin, score = excluded.score, margin = excluded.margin,
        model = NULL
    WHERE held.verdict <> 'rejected'
    RETURNING held.node_id
)
SELECT n.canonical_path
FROM taxonomy_nodes n
WHERE n.workspace_id = %(workspace_id)s AND n.version = %(version)s
  AND n.node_id IN (SELECT node_id FROM ended UNION SELECT node_id FROM decided)
ORDER BY n.lft;
