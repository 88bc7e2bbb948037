-- Makes the assignments of some documents in a version what those in another say, and counts what became of the latter.
-- Run again it changes nothing.
-- in: landed (see there), docs, workspace_id, old, new, writes (false: only counts),
--     touched (nodes of which more than one version speaks), is_new (the version was never active),
--     carried_until (of `touched`, what is not newer came from the other version; NULL: not known),
--     left_at (when the new version was left: what people have rejected since is rejected there, too; NULL: it was not)
-- out: one row: assignments, carried, merged_into, queued, decided, ended, dropped, suggestions (JSON: of those that
--     waited for a person, how many have each of these outcomes), persons_ended, documents, documents_without,
--     documents_asked, after, written, removed
WITH landed AS MATERIALIZED ({landed}),
expected AS MATERIALIZED (
    SELECT DISTINCT ON (l.doc_id, l.to_node)
        l.doc_id, l.to_node AS node_id, n.canonical_path AS path, n.lft, l.waits AS hitl_required,
        max(l.confidence) OVER one AS confidence, min(l.created_at) OVER one AS created_at,
        l.origin, l.reason, l.rule_id, l.score, l.margin
    FROM landed l JOIN taxonomy_nodes n ON n.node_id = l.to_node AND n.version = %(new)s
    WHERE l.is_kept
    WINDOW one AS (PARTITION BY l.doc_id, l.to_node)
    ORDER BY
        l.doc_id, l.to_node, l.hitl_required,
        array_position(ARRAY['person', 'given', 'rule', 'nearest', 'default'], l.origin),
        l.confidence DESC, l.created_at, l.from_node
),
there AS MATERIALIZED (
    SELECT t.* FROM unnest(%(docs)s::uuid[]) AS asked (doc_id)
    CROSS JOIN LATERAL (
        SELECT h.* FROM doc_taxonomy h
        WHERE h.doc_id = asked.doc_id AND h.version = %(new)s AND h.workspace_id = %(workspace_id)s OFFSET 0
    ) t
),
-- A full join is never made row by row: nothing is known yet of how many rows a new version has.
beside AS MATERIALIZED (
    SELECT
        e.*, t.doc_id AS there_doc_id, t.node_id AS there_node_id, t.created_at AS there_created_at,
        (t.confidence, t.created_at, t.hitl_required, t.origin, t.reason, t.rule_id, t.score, t.margin)
            IS DISTINCT FROM
            (e.confidence, e.created_at, e.hitl_required, e.origin, e.reason, e.rule_id, e.score, e.margin) AS differs
    FROM expected e FULL JOIN there t ON t.doc_id = e.doc_id AND t.node_id = e.node_id
),
removed AS (
    DELETE FROM doc_taxonomy t USING beside b
    WHERE %(writes)s AND b.doc_id IS NULL
      AND t.doc_id = b.there_doc_id AND t.node_id = b.there_node_id AND t.version = %(new)s
      AND CASE
          WHEN %(is_new)s THEN true
          WHEN b.there_node_id = ANY(%(touched)s::uuid[]) THEN
              b.there_created_at <= %(carried_until)s::timestamptz AND NOT EXISTS (
                  SELECT FROM taxonomy_decision d
                  WHERE d.doc_id = b.there_doc_id AND d.node_id = b.there_node_id AND d.verdict = 'accepted'
              )
              OR EXISTS (
                  SELECT FROM taxonomy_decision d
                  WHERE d.doc_id = b.there_doc_id AND d.node_id = b.there_node_id AND d.verdict = 'rejected'
                    AND d.decided_at > %(left_at)s::timestamptz
              )
          ELSE EXISTS (SELECT FROM taxonomy_nodes n WHERE n.node_id = b.there_node_id AND n.version = %(old)s)
      END
    RETURNING 1
),
written AS (
    INSERT INTO doc_taxonomy AS t (
        doc_id, node_id, version, workspace_id, path, confidence, created_at, hitl_required, origin, reason, rule_id,
        score, margin, lft
    )
    SELECT
        b.doc_id, b.node_id, %(new)s, %(workspace_id)s, b.path, b.confidence, b.created_at, b.hitl_required, b.origin,
        b.reason, b.rule_id, b.score, b.margin, b.lft
    FROM beside b WHERE %(writes)s AND b.doc_id IS NOT NULL AND b.differs
    ON CONFLICT (doc_id, node_id, version) DO UPDATE SET
        confidence = excluded.confidence, created_at = excluded.created_at, hitl_required = excluded.hitl_required,
        origin = excluded.origin, reason = excluded.reason, rule_id = excluded.rule_id, score = excluded.score,
        margin = excluded.margin
    RETURNING 1
),
outcomes AS (
    SELECT
        CASE
            WHEN bool_or(l.is_dropped) THEN 'dropped'
            WHEN NOT bool_or(l.is_kept) THEN 'ended'
            WHEN l.kind = 'same' THEN 'carried'
            WHEN l.kind = 'merge' THEN 'merged_into'
            WHEN bool_or(l.is_kept AND l.waits) THEN 'queued'
            ELSE 'decided'
        END AS outcome,
        bool_or(l.waited) AS waited, min(l.from_origin) AS origin
    FROM landed l GROUP BY l.doc_id, l.from_node, l.kind
),
-- Documents with a topic that searches use, and none afterwards.
without AS (
    SELECT bool_or(e.doc_id IS NOT NULL) AS is_asked
    FROM (SELECT DISTINCT l.doc_id FROM landed l WHERE NOT l.waited) had
    LEFT JOIN expected e ON e.doc_id = had.doc_id
    GROUP BY had.doc_id HAVING NOT coalesce(bool_or(NOT e.hitl_required), false)
)
SELECT
    count(*) AS assignments,
    count(*) FILTER (WHERE o.outcome = 'carried') AS carried,
    count(*) FILTER (WHERE o.outcome = 'merged_into') AS merged_into,
    count(*) FILTER (WHERE o.outcome = 'queued') AS queued,
    count(*) FILTER (WHERE o.outcome = 'decided') AS decided,
    count(*) FILTER (WHERE o.outcome = 'ended') AS ended,
    count(*) FILTER (WHERE o.outcome = 'dropped') AS dropped,
    (SELECT coalesce(jsonb_object_agg(s.outcome, s.number), '{{}}')
     FROM (SELECT w.outcome, count(*) AS number FROM outcomes w WHERE w.waited GROUP BY w.outcome) s) AS suggestions,
    count(*) FILTER (WHERE o.outcome = 'ended' AND o.origin = 'person') AS persons_ended,
    (SELECT count(DISTINCT l.doc_id) FROM landed l) AS documents,
    (SELECT count(*) FROM without) AS documents_without,
    (SELECT count(*) FROM without w WHERE w.is_asked) AS documents_asked,
    (SELECT count(*) FROM expected) AS after,
    (SELECT count(*) FROM written) AS written,
    (SELECT count(*) FROM removed) AS removed
FROM outcomes o
