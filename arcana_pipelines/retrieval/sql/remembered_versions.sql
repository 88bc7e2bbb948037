-- The versions of a document that an index served, by any of its builds, as far as it remembers what it showed.
-- in: workspace_id, index (name), document_id
-- out: document_id, document_content_id, published_at, retired_at (NULL: it is served)
SELECT document_id, document_content_id, min(since) AS published_at,
       CASE WHEN bool_and(until IS NOT NULL) THEN max(until) END AS retired_at
FROM (
    SELECT v.document_id, v.document_content_id, b.remembers_since, greatest(v.published_at, b.promoted_at) AS since,
           least(v.retired_at, b.retired_at) AS until
    FROM rag_indexes i
    JOIN rag_index_build b ON b.rag_index_id = i.rag_index_id AND b.promoted_at IS NOT NULL
    JOIN (
        SELECT rag_index_build_id, document_id, document_content_id, published_at, NULL::timestamptz AS retired_at
        FROM published_document
        UNION ALL
        SELECT rag_index_build_id, document_id, document_content_id, published_at, retired_at
        FROM retired_document
    ) v ON v.rag_index_build_id = b.rag_index_build_id AND v.document_id = %(document_id)s::uuid
    WHERE i.workspace_id = %(workspace_id)s AND i.name = %(index)s
) served
WHERE until IS NULL OR until > greatest(since, remembers_since)
GROUP BY document_id, document_content_id
