-- What documents are about, by the active version of each workspace that has one.
-- in: workspace_id (or NULL: of all workspaces)
-- out: the fields of TopicCounts
SELECT w.slug AS workspace, v.version, v.nodes, d.documents, d.with_topic, d.by_page, t.assigned, t.waiting, t.waits_since,
       (SELECT count(*) FROM taxonomy_unknown_path u
        WHERE u.workspace_id = v.workspace_id AND u.version = v.version) AS unknown_paths
FROM taxonomy_version v
JOIN workspace w USING (workspace_id)
CROSS JOIN LATERAL (
    WITH topic AS (
        SELECT doc_id, origin, hitl_required, created_at,
               -- What is hardly near is there to be chosen instead, and is no reason to ask anybody.
               hitl_required AND (origin <> 'nearest' OR confidence >= coalesce(
                   (SELECT s.suggest_at FROM taxonomy_settings s WHERE s.workspace_id = v.workspace_id), 0.5)) AS asks
        FROM doc_taxonomy
        WHERE workspace_id = v.workspace_id AND version = v.version
          AND doc_id IN (SELECT o.document_id FROM document o
                         WHERE o.workspace_id = v.workspace_id AND o.deleted_at IS NULL)
    )
    SELECT (SELECT coalesce(jsonb_object_agg(origin, topics), '{}')
            FROM (SELECT origin, count(*) AS topics FROM topic WHERE NOT hitl_required GROUP BY origin) each) AS assigned,
           count(DISTINCT doc_id) FILTER (WHERE asks) AS waiting,
           min(created_at) FILTER (WHERE asks) AS waits_since
    FROM topic
) t
CROSS JOIN LATERAL (
    -- A file has its page's topics, too.
    WITH about AS (
        SELECT doc_id AS document_id FROM doc_taxonomy
        WHERE workspace_id = v.workspace_id AND version = v.version AND NOT hitl_required
    ), with_files AS (
        SELECT document_id, false AS is_of_page FROM about
        UNION ALL
        SELECT s.document_id, true FROM about a
        JOIN source_page p ON p.document_id = a.document_id
        JOIN source_file s ON s.workspace_id = p.workspace_id AND s.page_external_id = p.external_id
        WHERE s.document_id IS NOT NULL
    )
    SELECT count(*) AS documents, count(f.document_id) AS with_topic, count(*) FILTER (WHERE f.is_of_page) AS by_page
    FROM (SELECT DISTINCT s.document_id
          FROM rag_indexes i
          JOIN published_document s ON s.rag_index_build_id = i.active_build_id
          JOIN document o ON o.document_id = s.document_id
          WHERE i.workspace_id = v.workspace_id AND o.deleted_at IS NULL) served
    LEFT JOIN (SELECT document_id, bool_and(is_of_page) AS is_of_page FROM with_files GROUP BY document_id) f
        USING (document_id)
) d
WHERE v.state = 'active' AND (%(workspace_id)s::uuid IS NULL OR v.workspace_id = %(workspace_id)s)
ORDER BY w.slug;
