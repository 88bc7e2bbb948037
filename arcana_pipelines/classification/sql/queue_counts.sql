-- How much waits for people; not what is hardly near alone (see queue).
-- in: workspace_id, version
-- out: documents, by_origin (JSON), oldest_at
WITH waiting AS (
    SELECT t.doc_id, t.origin, t.created_at,
           bool_or(t.origin <> 'nearest' OR t.confidence >= coalesce(
               (SELECT s.suggest_at FROM taxonomy_settings s WHERE s.workspace_id = %(workspace_id)s), 0.5)
           ) OVER (PARTITION BY t.doc_id) AS is_asked
    FROM doc_taxonomy t
    JOIN document d ON d.document_id = t.doc_id AND d.deleted_at IS NULL
    WHERE t.workspace_id = %(workspace_id)s AND t.version = %(version)s AND t.hitl_required
)
SELECT count(DISTINCT doc_id) AS documents,
       coalesce((SELECT jsonb_object_agg(origin, suggestions)
                 FROM (SELECT origin, count(*) AS suggestions FROM waiting WHERE is_asked GROUP BY origin) each), '{}') AS by_origin,
       min(created_at) AS oldest_at
FROM waiting
WHERE is_asked
