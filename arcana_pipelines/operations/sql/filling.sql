-- How far each build of a workspace is that a run fills, those that serve first. Looked up row by row, not joined: the stages
-- fill and empty while this is asked again and again, so that statistics say nothing of them. While documents are cut it
-- is asked most, and some of the chunks tell which part of all has an embedding.
-- in: workspace_id, sample (chunks, and passages, of a build that are looked up elsewhere)
-- out: the fields of Filling
SELECT b.state, b.embedding_model AS model, b.dimensions,
       lacking.documents AS uncut,
       (SELECT count(*) FROM content_stage t WHERE t.rag_index_build_id = b.rag_index_build_id) AS cut,
       staged.chunks, coalesce(ceil(staged.chunks * missing.share), 0)::int AS unembedded, passages.waiting AS passages,
       ceil(passages.waiting * (SELECT coalesce(avg((NOT is_held)::int), 0) FROM (
           SELECT EXISTS (SELECT 1 FROM rag_index_build o JOIN rag_indexes oi USING (rag_index_id)
                          JOIN passage p ON p.rag_index_build_id = o.rag_index_build_id AND p.text_hash = s.text_hash
                          WHERE oi.workspace_id = i.workspace_id AND o.rag_index_build_id <> b.rag_index_build_id
                            AND o.embedding_model = b.embedding_model AND o.dimensions = b.dimensions
                          OFFSET 0) AS is_held
           FROM (SELECT text_hash FROM passage_stage
                 WHERE rag_index_build_id = b.rag_index_build_id LIMIT %(sample)s) s) looked_up))::int AS new_passages,
       served.documents, served.chunks AS served,
       to_regclass('chunk_terms_b' || b.rag_index_build_id || '_keys_idx') IS NOT NULL AS has_words,
       b.verification IS NOT NULL AS is_verified, b.rag_index_build_id AS number, b.ann_setting AS ann,
       coalesce((SELECT max(p.blocks_done::float8 / p.blocks_total) FROM pg_stat_progress_create_index p
                 WHERE b.ann_setting = 'hnsw' AND p.blocks_total > 0
                   AND p.relid = to_regclass('chunk_b' || b.rag_index_build_id)), 0) AS indexed
FROM rag_index_build b
JOIN rag_indexes i USING (rag_index_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS documents FROM document d
    WHERE d.workspace_id = i.workspace_id AND d.deleted_at IS NULL AND d.latest_content_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM published_document s
                      WHERE s.rag_index_build_id = b.rag_index_build_id AND s.document_id = d.document_id
                        AND s.document_content_id = d.latest_content_id
                      OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM content_stage t
                      WHERE t.rag_index_build_id = b.rag_index_build_id
                        AND t.document_content_id = d.latest_content_id
                      OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM source_page p
                      WHERE p.document_id = d.document_id AND p.state = 'quarantined'
                      OFFSET 0)
) lacking
CROSS JOIN LATERAL (
    SELECT count(*) AS chunks FROM chunk_stage WHERE rag_index_build_id = b.rag_index_build_id
) staged
CROSS JOIN LATERAL (
    SELECT avg((
        NOT EXISTS (SELECT 1 FROM embedding_store e
                    WHERE e.workspace_id = i.workspace_id AND e.embedding_model = b.embedding_model
                      AND e.dimensions = b.dimensions AND e.text_hash = t.text_hash
                    OFFSET 0)
        AND NOT EXISTS (SELECT 1 FROM embedding_rejected r
                        WHERE r.workspace_id = i.workspace_id AND r.embedding_model = b.embedding_model
                          AND r.dimensions = b.dimensions AND r.text_hash = t.text_hash
                        OFFSET 0)
        AND NOT EXISTS (SELECT 1 FROM embedding_batch w JOIN embedding_batch_text x USING (embedding_batch_id)
                        WHERE w.workspace_id = i.workspace_id AND w.embedding_model = b.embedding_model
                          AND w.dimensions = b.dimensions AND x.text_hash = t.text_hash
                        OFFSET 0))::int) AS share
    FROM (SELECT text_hash FROM chunk_stage WHERE rag_index_build_id = b.rag_index_build_id
          LIMIT CASE WHEN lacking.documents > 0 THEN %(sample)s END) t
) missing
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting FROM passage_stage WHERE rag_index_build_id = b.rag_index_build_id
) passages
CROSS JOIN LATERAL (
    SELECT count(*) AS documents, coalesce(sum(cardinality(chunk_ids)), 0)::bigint AS chunks
    FROM published_document WHERE rag_index_build_id = b.rag_index_build_id
) served
WHERE i.workspace_id = %(workspace_id)s AND b.state <> 'retired'
ORDER BY array_position(ARRAY['active', 'verifying', 'building'], b.state), b.rag_index_build_id;
