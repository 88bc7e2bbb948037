-- Make the topics that rules and nearness find of documents those that are wanted. What a person has refused does not
-- come back, what people or sources said stays, and so does what waits since a version became active (it has a reason),
-- unless it is merely near and a person has said something of the document, or is hardly near; and what a rule found that
-- rests now, and what is near of documents that were compared with nothing this time.
-- in: workspace_id, version, documents (ids), uncompared (ids), resting (rule_ids), doc_ids, node_ids, confidences, waiting, origins,
--     rule_ids, scores, margins (of the topics that are wanted, one a row)
-- out: how many rows have changed
WITH wanted AS MATERIALIZED (
    SELECT t.*, n.canonical_path, n.lft
    FROM unnest(%(doc_ids)s::uuid[], %(node_ids)s::uuid[], %(confidences)s::real[], %(waiting)s::boolean[],
                %(origins)s::text[], %(rule_ids)s::uuid[], %(scores)s::real[], %(margins)s::real[])
         AS t (doc_id, node_id, confidence, hitl_required, origin, rule_id, score, margin)
    JOIN document d ON d.document_id = t.doc_id AND d.deleted_at IS NULL
    JOIN taxonomy_nodes n
        ON n.node_id = t.node_id AND n.version = %(version)s AND n.workspace_id = %(workspace_id)s
    WHERE NOT EXISTS (SELECT FROM taxonomy_decision k
                      WHERE k.doc_id = t.doc_id AND k.node_id = t.node_id AND k.verdict = 'rejected')
), gone AS (
    DELETE FROM doc_taxonomy held
    WHERE held.workspace_id = %(workspace_id)s AND held.version = %(version)s
      AND held.doc_id = ANY(%(documents)s::uuid[])
      AND held.origin IN ('rule', 'nearest')
      AND (held.reason IS NULL OR NOT held.hitl_required
           OR held.origin = 'nearest'
              AND (held.confidence < coalesce((SELECT s.suggest_at FROM taxonomy_settings s
                                               WHERE s.workspace_id = %(workspace_id)s), 0.5)
                   OR EXISTS (SELECT FROM doc_taxonomy said
                              WHERE said.doc_id = held.doc_id AND said.version = held.version
                                AND said.origin = 'person' AND NOT said.hitl_required)))
      AND (held.rule_id IS NULL OR held.rule_id <> ALL(%(resting)s::uuid[]))
      AND (held.origin <> 'nearest' OR held.doc_id <> ALL(%(uncompared)s::uuid[]))
      AND NOT EXISTS (SELECT FROM wanted w WHERE w.doc_id = held.doc_id AND w.node_id = held.node_id)
    RETURNING 1
), put AS (
    INSERT INTO doc_taxonomy AS held (doc_id, node_id, version, workspace_id, path, confidence, hitl_required, origin,
                                      rule_id, score, margin, lft)
    SELECT w.doc_id, w.node_id, %(version)s, %(workspace_id)s, w.canonical_path, w.confidence, w.hitl_required, w.origin,
           w.rule_id, w.score, w.margin, w.lft
    FROM wanted w
    ON CONFLICT (doc_id, node_id, version) DO UPDATE SET
        confidence = excluded.confidence, hitl_required = excluded.hitl_required, origin = excluded.origin,
        reason = NULL, rule_id = excluded.rule_id, score = excluded.score, margin = excluded.margin
    WHERE (held.origin IN ('rule', 'nearest') AND (held.reason IS NULL OR NOT held.hitl_required)
           OR held.origin IN ('rule', 'nearest', 'default') AND NOT excluded.hitl_required)
      AND (held.confidence, held.hitl_required, held.origin, held.rule_id, held.score, held.margin)
          IS DISTINCT FROM (excluded.confidence, excluded.hitl_required, excluded.origin, excluded.rule_id,
                            excluded.score, excluded.margin)
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM put)
