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
    SELECT document_id, document_content_id, chunk_ids FROM published_document WHERE rag_index_build_id = %(build)s
), held AS (
    SELECT document_chunk_id, document_content_id, vector_norm(chunk_embedding) BETWEEN 1e-9 AND 1e9 AS is_sound
    FROM {table}
    WHERE deleted_at IS NULL
), listed AS (
    SELECT document_id, unnest(chunk_ids) AS document_chunk_id FROM served
)
SELECT (SELECT count(*) FROM served) AS documents,
       (SELECT count(*) FROM held) AS chunks,
       (SELECT count(*) FROM held WHERE NOT is_sound) AS unsound,
       (SELECT count(*) FROM wanted w LEFT JOIN served s USING (document_id)
        WHERE s.document_content_id IS DISTINCT FROM w.latest_content_id AND NOT is_quarantined) AS missing,
       (SELECT count(*) FROM wanted w LEFT JOIN served s USING (document_id)
        WHERE s.document_content_id IS DISTINCT FROM w.latest_content_id AND is_quarantined) AS left_out,
       (SELECT count(*) FROM served s LEFT JOIN wanted w USING (document_id) WHERE w.document_id IS NULL) AS surplus,
       (SELECT count(DISTINCT coalesce(l.document_id, c.document_id))
        FROM listed l FULL JOIN held h USING (document_chunk_id)
        LEFT JOIN document_content c USING (document_content_id)
        WHERE l.document_id IS NULL OR h.document_content_id IS NULL) AS torn;
