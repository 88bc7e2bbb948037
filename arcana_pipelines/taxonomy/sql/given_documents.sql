-- What documents bring as their topics, and which they have.
-- in: workspace_id, version (the active one), names (of properties), pages (external ids), documents (ids of more)
-- out: document_id, properties (JSON by name; NULL: it is a file), topics (node ids; NULL: it is none), given (node ids
--      that it has for what it brought), settled (those that a person gave it), rejected (those that a person took from
--      it), has_topic (by a person, a rule or nearness, for sure), default_reason (why it has the default node; NULL: it
--      has not)
WITH brought AS (
    SELECT p.document_id, NULL::uuid[] AS topics,
           coalesce((SELECT jsonb_object_agg(named.name, p.properties->named.name)
                     FROM unnest(%(names)s::text[]) named(name) WHERE p.properties ? named.name), '{}') AS properties
    FROM source_page p
    WHERE p.workspace_id = %(workspace_id)s AND p.document_id IS NOT NULL AND p.state <> 'tombstoned'
      AND (p.external_id = ANY(%(pages)s::text[]) OR p.document_id = ANY(%(documents)s::uuid[]))
    UNION ALL
    SELECT f.document_id, f.topics, NULL
    FROM source_file f
    WHERE f.workspace_id = %(workspace_id)s AND f.document_id = ANY(%(documents)s::uuid[])
      AND f.topics IS NOT NULL AND f.state <> 'removed'
)
SELECT b.document_id, b.properties, b.topics,
       coalesce(h.given, '{}') AS given, coalesce(h.settled, '{}') AS settled,
       ARRAY(SELECT r.node_id FROM taxonomy_decision r
             WHERE r.doc_id = b.document_id AND r.verdict = 'rejected') AS rejected,
       coalesce(h.has_topic, false) AS has_topic, h.default_reason
FROM brought b
CROSS JOIN LATERAL (
    SELECT array_agg(t.node_id) FILTER (WHERE t.origin = 'given' AND NOT t.hitl_required) AS given,
           array_agg(t.node_id) FILTER (WHERE t.origin = 'person') AS settled,
           bool_or(t.origin IN ('person', 'rule', 'nearest') AND NOT t.hitl_required) AS has_topic,
           max(coalesce(t.reason, '')) FILTER (WHERE t.origin = 'default') AS default_reason
    FROM doc_taxonomy t
    WHERE t.doc_id = b.document_id AND t.version = %(version)s
) h
ORDER BY b.document_id;
