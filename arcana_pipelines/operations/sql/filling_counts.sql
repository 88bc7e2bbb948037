-- What of `filling` takes milliseconds to count, also where there are many documents: who looks often asks this.
-- A staged chunk is a place that is empty among those that a content keeps.
-- in: workspace_id, sample (chunks of a build whose passages are counted)
-- out: the fields of Counts
SELECT b.rag_index_build_id AS number, b.state, staged.cut, staged.chunks,
       EXISTS (SELECT FROM passage_stage s WHERE s.rag_index_build_id = b.rag_index_build_id) AS has_passages,
       (SELECT coalesce(avg(cardinality(passages)), 0) FROM (
           SELECT passages FROM chunk_stage WHERE rag_index_build_id = b.rag_index_build_id LIMIT %(sample)s
       ) looked_at)::float8 AS passages_of_a_chunk,
       served.documents, served.chunks AS served,
       to_regclass('chunk_terms_b' || b.rag_index_build_id || '_keys_idx') IS NOT NULL AS has_words,
       b.verification IS NOT NULL AS is_verified,
       coalesce((SELECT max(p.blocks_done::float8 / p.blocks_total) FROM pg_stat_progress_create_index p
                 WHERE b.ann_setting = 'hnsw' AND p.blocks_total > 0
                   AND p.relid = to_regclass('chunk_b' || b.rag_index_build_id)), 0) AS indexed
FROM rag_index_build b
JOIN rag_indexes i USING (rag_index_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS cut, coalesce(sum(cardinality(array_positions(chunk_ids, NULL))), 0)::bigint AS chunks
    FROM content_stage WHERE rag_index_build_id = b.rag_index_build_id
) staged
CROSS JOIN LATERAL (
    SELECT count(*) AS documents, coalesce(sum(cardinality(chunk_ids)), 0)::bigint AS chunks
    FROM published_document WHERE rag_index_build_id = b.rag_index_build_id
) served
WHERE i.workspace_id = %(workspace_id)s AND b.state <> 'retired'
ORDER BY array_position(ARRAY['active', 'verifying', 'building'], b.state), b.rag_index_build_id;
