-- What a build should hold by the documents, and what it holds.
-- in: workspace_id, build (rag_index_build_id), table (its chunks)
-- out: documents and chunks that are served; unsound vectors; documents that are missing, left_out (in quarantine),
--     surplus or torn
WITH wanted AS (
    SELECT d.document_id, d.latest_content_id,
           EXISTS (SELECT 1 FROM source_page p
                   WHERE p.document_id = d.document_id AND p.state = 'quarantined') AS is_quarantined
    FROM document d
    WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL AND d.latest_content_id IS NOT NULL
), served AS (
    SELECT document_id, document_content_id FROM published_document WHERE rag_index_build_id = %(build)s
), chunk AS (
    SELECT document_content_id, count(*) AS chunks, max(position) + 1 AS positions,
           count(*) FILTER (WHERE NOT (vector_norm(chunk_embedding) BETWEEN 1e-9 AND 1e9)) AS unsound
    FROM {table}
    WHERE deleted_at IS NULL
    GROUP BY document_content_id
)
SELECT (SELECT count(*) FROM served) AS documents,
       (SELECT coalesce(sum(chunks), 0)::bigint FROM chunk) AS chunks,
       (SELECT coalesce(sum(unsound), 0)::bigint FROM chunk) AS unsound,
       (SELECT count(*) FROM wanted w LEFT JOIN served s USING (document_id)
        WHERE s.document_content_id IS DISTINCT FROM w.latest_content_id AND NOT is_quarantined) AS missing,
       (SELECT count(*) FROM wanted w LEFT JOIN served s USING (document_id)
        WHERE s.document_content_id IS DISTINCT FROM w.latest_content_id AND is_quarantined) AS left_out,
       (SELECT count(*) FROM served s LEFT JOIN wanted w USING (document_id) WHERE w.document_id IS NULL) AS surplus,
       (SELECT count(*) FROM served s FULL JOIN chunk c USING (document_content_id)
        WHERE s.document_id IS NULL OR c.chunks IS DISTINCT FROM c.positions) AS torn;
