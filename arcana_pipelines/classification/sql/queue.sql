-- What waits for a person, a document a row, in the order in which it helps most: what searches show, then what is least
-- sure, then what has waited longest. Of a file that is its page's title where it has none.
-- in: workspace_id, version, limit, below (node_id), rule (rule_id), origin (each NULL: any),
--     after_shown, after_sureness, after_at, after_document (of the row before; NULL: from the beginning)
--     limited (condition on `t.doc_id`)
-- out: document_id, external_id, kind, title, url, node_id, path, origin, reason, rule (its name), confidence, score, margin,
--      alternatives (JSON: node_id, path, confidence, score), shown, created_at, sureness
WITH waiting AS MATERIALIZED (
    -- What people, sources or rules said, and a new version of the taxonomy asks about, comes before what is merely near.
    SELECT t.doc_id, t.node_id, t.path, t.origin, t.reason, t.rule_id, t.confidence, t.score, t.margin, t.created_at, t.lft,
           row_number() OVER (
               PARTITION BY t.doc_id
               ORDER BY array_position(ARRAY['person', 'given', 'rule', 'nearest', 'default'], t.origin),
                        t.confidence DESC, t.score DESC NULLS LAST, t.node_id) AS place,
           -- What is hardly near is there to be chosen instead, and is no reason to ask anybody.
           bool_or(t.origin <> 'nearest' OR t.confidence >= coalesce(
               (SELECT s.suggest_at FROM taxonomy_settings s WHERE s.workspace_id = %(workspace_id)s), 0.5)
           ) OVER (PARTITION BY t.doc_id) AS is_asked
    FROM doc_taxonomy t
    JOIN document d ON d.document_id = t.doc_id AND d.deleted_at IS NULL
    WHERE t.workspace_id = %(workspace_id)s AND t.version = %(version)s AND t.hitl_required
      AND {limited}
), seen AS (
    SELECT a.document_id, sum(a.shown)::int AS shown
    FROM chunk_analytics a
    WHERE a.workspace_id = %(workspace_id)s AND a.day > (now() AT TIME ZONE 'UTC')::date - 30
    GROUP BY a.document_id
), wanted AS (
    SELECT DISTINCT ON (w.doc_id) w.*
    FROM waiting w
    WHERE w.is_asked
      AND (%(below)s::uuid IS NULL OR w.place = 1 AND EXISTS (
              SELECT FROM taxonomy_nodes n
              WHERE n.node_id = %(below)s AND n.version = %(version)s AND n.workspace_id = %(workspace_id)s
                AND w.lft BETWEEN n.lft AND n.rgt))
      AND (%(rule)s::uuid IS NULL OR w.rule_id = %(rule)s)
      AND (%(origin)s::text IS NULL OR w.origin = %(origin)s)
    ORDER BY w.doc_id, w.place
), first AS (
    SELECT w.*, coalesce(seen.shown, 0) AS shown, coalesce(w.margin, 0)::float8 AS sureness
    FROM wanted w
    LEFT JOIN seen ON seen.document_id = w.doc_id
), page AS (
    SELECT * FROM first
    WHERE %(after_document)s::uuid IS NULL
       OR (-shown, sureness, created_at, doc_id)
          > (-%(after_shown)s::int, %(after_sureness)s::float8, %(after_at)s::timestamptz, %(after_document)s::uuid)
    ORDER BY -shown, sureness, created_at, doc_id
    LIMIT %(limit)s
)
SELECT page.doc_id AS document_id, named.external_id, named.kind, named.title, named.url, page.node_id, page.path,
       page.origin, page.reason, r.name AS rule, page.confidence, page.score, page.margin,
       coalesce((SELECT jsonb_agg(jsonb_build_object('node_id', o.node_id, 'path', o.path, 'confidence', o.confidence,
                                                     'score', o.score) ORDER BY o.place)
                 FROM waiting o WHERE o.doc_id = page.doc_id AND o.node_id <> page.node_id), '[]') AS alternatives,
       page.shown, page.created_at, page.sureness
FROM page
JOIN LATERAL (
    SELECT p.external_id, p.kind, p.title, p.url FROM source_page p
    WHERE p.workspace_id = %(workspace_id)s AND p.document_id = page.doc_id
    UNION ALL
    SELECT f.external_id, 'file', f.name, p.url
    FROM source_file f
    LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
    WHERE f.workspace_id = %(workspace_id)s AND f.document_id = page.doc_id
    LIMIT 1
) named ON true
LEFT JOIN taxonomy_rule r ON r.rule_id = page.rule_id
ORDER BY -page.shown, page.sureness, page.created_at, page.doc_id
