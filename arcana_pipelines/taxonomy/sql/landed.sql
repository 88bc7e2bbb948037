-- The assignments of some documents in one version, each beside every node that it leads to in another.
-- A fragment of `carry` and `carry_ended`.
-- in: workspace_id, old, docs,
--     from_nodes, to_nodes, kinds, reasons (of each node that is another there; all others are the same),
--     touched, since (of these nodes, what is not newer is left out, unless a person accepted it since; NULL: nothing is)
-- out: doc_id, from_node, from_path, kind, to_node (NULL: none), is_kept, is_dropped (a suggestion of nearness whose node is
--     another one: nearness is asked again in the new version), waited (in the old version), hitl_required (by itself),
--     waits (with all that lead to this node), confidence, origin, reason, why, rule_id, score, margin, created_at
WITH source AS MATERIALIZED (
    -- By each document, whatever is known of how many rows a version has (OFFSET keeps it so).
    SELECT a.* FROM unnest(%(docs)s::uuid[]) AS asked (doc_id)
    CROSS JOIN LATERAL (
        SELECT t.* FROM doc_taxonomy t
        WHERE t.doc_id = asked.doc_id AND t.version = %(old)s AND t.workspace_id = %(workspace_id)s OFFSET 0
    ) a
    WHERE (a.created_at <= %(since)s::timestamptz AND a.node_id = ANY(%(touched)s::uuid[])) IS NOT TRUE
       OR EXISTS (
           SELECT FROM taxonomy_decision said
           WHERE said.doc_id = a.doc_id AND said.node_id = a.node_id AND said.verdict = 'accepted'
             AND said.decided_at > %(since)s::timestamptz
       )
)
SELECT
    k.*, coalesce(bool_and(k.hitl_required) FILTER (WHERE k.is_kept) OVER (PARTITION BY k.doc_id, k.to_node), false) AS waits
FROM (
    SELECT
        j.doc_id, j.from_node, j.from_path, j.kind, j.to_node, j.why, j.rule_id, j.score, j.margin, j.created_at,
        j.hitl_required AS waited, j.origin AS from_origin, j.is_near AND NOT j.is_decided AS is_dropped,
        CASE
            WHEN j.to_node IS NULL OR j.is_near AND NOT j.is_decided THEN false
            WHEN j.kind = 'same' THEN true
            WHEN j.kind = 'merge' THEN j.verdict IS DISTINCT FROM 'rejected' OR j.is_persons
            WHEN j.is_decided THEN j.verdict IS NOT DISTINCT FROM 'accepted'
            ELSE j.verdict IS DISTINCT FROM 'rejected'
        END AS is_kept,
        CASE
            WHEN j.kind = 'same' OR j.kind = 'merge' AND j.verdict IS NULL THEN j.hitl_required
            ELSE j.verdict IS DISTINCT FROM 'accepted'
        END AS hitl_required,
        CASE WHEN j.kind NOT IN ('same', 'merge') AND j.verdict = 'accepted' THEN 1 ELSE j.confidence END AS confidence,
        CASE WHEN j.kind NOT IN ('same', 'merge') AND j.verdict = 'accepted' THEN 'person' ELSE j.origin END AS origin,
        CASE
            WHEN j.kind = 'same' THEN j.reason
            WHEN j.kind = 'merge' AND j.verdict = 'rejected' THEN j.why || ', and a person rejected this topic'
            WHEN j.kind = 'merge' THEN coalesce(j.reason, j.why)
            ELSE j.why
        END AS reason
    FROM (
        SELECT
            a.doc_id, a.node_id AS from_node, a.path AS from_path, coalesce(m.kind, 'same') AS kind, t.to_node,
            a.hitl_required, a.confidence, a.origin, a.reason, m.reason AS why, a.rule_id, a.score, a.margin,
            a.created_at, d.verdict,
            coalesce(bool_or(d.verdict = 'accepted') OVER (PARTITION BY a.doc_id, a.node_id), false) AS is_decided,
            a.origin = 'nearest' AND a.hitl_required AND coalesce(m.kind, 'same') NOT IN ('same', 'lost') AS is_near,
            CASE WHEN m.kind = 'merge' AND d.verdict = 'rejected' THEN
                a.origin = 'person' OR EXISTS (
                    SELECT FROM taxonomy_decision own
                    WHERE own.doc_id = a.doc_id AND own.node_id = a.node_id AND own.verdict = 'accepted'
                )
            END AS is_persons
        FROM source a
        LEFT JOIN unnest(%(from_nodes)s::uuid[], %(to_nodes)s::uuid[], %(kinds)s::text[], %(reasons)s::text[])
            AS m (from_node, to_node, kind, reason) ON m.from_node = a.node_id
        CROSS JOIN LATERAL (SELECT CASE WHEN m.kind IS NULL THEN a.node_id ELSE m.to_node END AS to_node) t
        LEFT JOIN taxonomy_decision d ON d.doc_id = a.doc_id AND d.node_id = t.to_node
    ) j
) k
