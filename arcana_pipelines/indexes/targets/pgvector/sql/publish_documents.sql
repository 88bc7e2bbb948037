-- Publish one batch of documents: new chunks appear and old ones disappear in this one statement, with their words and
-- the counts of these (not while a build is loaded for the first time: then they are counted once, at the end).
-- Vectors of a model whose means are known go without what they say of their language, at unit length.
-- in: workspace_id, build (rag_index_build_id), model, dimensions, documents (ids), counting (keep the counts of
--     words), languages, means (of the model's vectors in each; empty where they are not known)
-- out: published, retired (chunks), new_objects (documents)
WITH batch AS (
    SELECT d.document_id, d.latest_content_id, s.document_content_id AS served_content_id
    FROM document d
    LEFT JOIN published_document s ON s.rag_index_build_id = %(build)s AND s.document_id = d.document_id
    WHERE d.document_id = ANY(%(documents)s)
), retired AS (
    -- An array is looked up; joined, all chunks would be read while the planner takes the table for small.
    UPDATE document_chunk k SET deleted_at = now(), updated_at = now()
    WHERE k.rag_index_build_id = %(build)s AND k.deleted_at IS NULL
      AND k.document_content_id = ANY(ARRAY(SELECT served_content_id FROM batch))
    RETURNING k.document_chunk_id
), gone AS (
    DELETE FROM chunk_terms t USING retired
    WHERE t.rag_index_build_id = %(build)s AND t.document_chunk_id = retired.document_chunk_id
    RETURNING t.document_chunk_id, t.document_id, t.terms, t.keys
), kept AS (
    -- For searches of the past.
    INSERT INTO retired_chunk_terms (rag_index_build_id, document_chunk_id, document_id, terms, keys)
    SELECT %(build)s, document_chunk_id, document_id, terms, keys FROM gone
), staged AS (
    DELETE FROM chunk_stage t USING batch
    WHERE t.rag_index_build_id = %(build)s AND t.document_content_id = batch.latest_content_id
    RETURNING t.*
), chunk AS MATERIALIZED (
    -- Numbered here: two tables get these rows, and joining them again would compare each with each.
    SELECT nextval('document_chunk_document_chunk_id_seq') AS document_chunk_id, b.document_id, t.*, spoken.language,
           coalesce(l2_normalize(e.embedding - spoken.mean), e.embedding) AS embedding
    FROM staged t
    JOIN batch b ON b.latest_content_id = t.document_content_id
    CROSS JOIN LATERAL (
        SELECT embedding FROM embedding_store e
        WHERE e.workspace_id = %(workspace_id)s AND e.embedding_model = %(model)s
          AND e.dimensions = %(dimensions)s AND e.text_hash = t.text_hash
        OFFSET 0
    ) e
    LEFT JOIN LATERAL (
        SELECT m.language, m.mean
        FROM unnest(%(languages)s::text[], %(means)s::vector[]) AS m (language, mean)
        ORDER BY m.mean <=> e.embedding
        LIMIT 1
    ) spoken ON true
), published AS (
    INSERT INTO document_chunk (rag_index_build_id, document_chunk_id, document_content_id, position, chunk_content,
                                heading_path, text_hash, token_count, chunk_embedding, heading_levels, passages,
                                language)
    SELECT %(build)s, document_chunk_id, document_content_id, position, chunk_content, heading_path, text_hash,
           token_count, embedding, heading_levels, passages, language
    FROM chunk
    RETURNING 1
), come AS (
    INSERT INTO chunk_terms (rag_index_build_id, document_chunk_id, document_id, terms, keys)
    SELECT %(build)s, document_chunk_id, document_id, terms, keys FROM chunk
    RETURNING keys
), moved AS (
    SELECT key, sum(step)::int AS chunks
    FROM (SELECT unnest(keys) AS key, 1 AS step FROM come UNION ALL SELECT unnest(keys), -1 FROM gone) k
    WHERE %(counting)s
    GROUP BY key
    HAVING sum(step) <> 0
), counted AS (
    INSERT INTO term_count AS held (rag_index_build_id, key, chunks)
    SELECT %(build)s, key, chunks FROM moved
    ON CONFLICT (rag_index_build_id, key) DO UPDATE SET chunks = held.chunks + excluded.chunks
), served AS (
    INSERT INTO published_document (rag_index_build_id, document_id, document_content_id)
    SELECT %(build)s, document_id, latest_content_id FROM batch
    ON CONFLICT (rag_index_build_id, document_id)
        DO UPDATE SET document_content_id = excluded.document_content_id, published_at = now()
)
SELECT (SELECT count(*) FROM published) AS published,
       (SELECT count(*) FROM retired) AS retired,
       (SELECT count(*) FROM batch WHERE served_content_id IS NULL) AS new_objects;
