-- Publish one batch of documents: new chunks appear and those that are in their version no more disappear in this one
-- statement, with their words and the counts of these (not while a build is loaded for the first time: then they are
-- counted once, at the end). Chunks that stay are not touched: the version is a list of chunks.
-- Vectors of a model whose means are known go without what they say of their language, at unit length.
-- What targets have to be told stands in `sync_operations` when it is done.
-- in: workspace_id, rag_index_id, build (rag_index_build_id), model, dimensions, documents (ids), counting (keep the counts of
--     words), languages, means (of the model's vectors in each; empty where they are not known)
-- out: published, retired (chunks), new_objects (documents)
WITH batch AS MATERIALIZED (
    SELECT d.document_id, d.latest_content_id, s.document_content_id AS served_content_id, s.chunk_ids AS served,
           s.published_at AS served_since, s.places AS served_places, t.chunk_ids AS planned, t.places
    FROM document d
    JOIN content_stage t ON t.rag_index_build_id = %(build)s AND t.document_content_id = d.latest_content_id
    LEFT JOIN published_document s ON s.rag_index_build_id = %(build)s AND s.document_id = d.document_id
    WHERE d.document_id = ANY(%(documents)s)
), leaving AS (
    SELECT document_chunk_id
    FROM (SELECT unnest(served) AS document_chunk_id, 1 AS step FROM batch
          UNION ALL SELECT unnest(planned), -1 FROM batch) each
    WHERE document_chunk_id IS NOT NULL
    GROUP BY document_chunk_id
    HAVING sum(step) > 0
), retired AS (
    -- Arrays are looked up; joined, each chunk would be compared with each while the planner takes the tables for small.
    UPDATE chunk k SET deleted_at = now(), updated_at = now()
    WHERE k.rag_index_build_id = %(build)s AND k.document_chunk_id = ANY(ARRAY(SELECT document_chunk_id FROM leaving))
    RETURNING k.document_chunk_id
), replaced AS (
    INSERT INTO retired_document (rag_index_build_id, document_id, document_content_id, chunk_ids, published_at,
                                  retired_at, places)
    SELECT %(build)s, document_id, served_content_id, served, served_since, now(), served_places
    FROM batch
    WHERE served_content_id IS NOT NULL
), gone AS (
    DELETE FROM chunk_terms t
    WHERE t.rag_index_build_id = %(build)s AND t.document_chunk_id = ANY(ARRAY(SELECT document_chunk_id FROM retired))
    RETURNING t.document_chunk_id, t.document_id, t.terms, t.keys
), kept AS (
    -- For searches of the past.
    INSERT INTO retired_chunk_terms (rag_index_build_id, document_chunk_id, document_id, terms, keys)
    SELECT %(build)s, document_chunk_id, document_id, terms, keys FROM gone
), unstaged AS (
    DELETE FROM content_stage t USING batch
    WHERE t.rag_index_build_id = %(build)s AND t.document_content_id = batch.latest_content_id
), staged AS (
    DELETE FROM chunk_stage t USING batch
    WHERE t.rag_index_build_id = %(build)s AND t.document_content_id = batch.latest_content_id
    RETURNING t.*, batch.document_id
), new AS MATERIALIZED (
    -- Numbered here: two tables get these rows, and joining them again would compare each with each.
    SELECT nextval('document_chunk_document_chunk_id_seq') AS document_chunk_id, t.*, spoken.language,
           coalesce(l2_normalize(e.embedding - spoken.mean), e.embedding) AS embedding
    FROM staged t
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
    INSERT INTO chunk (rag_index_build_id, document_chunk_id, document_content_id, chunk_content, heading_path, text_hash,
                       token_count, chunk_embedding, heading_levels, passages, language)
    SELECT %(build)s, document_chunk_id, document_content_id, chunk_content, heading_path, text_hash, token_count,
           embedding, heading_levels, passages, language
    FROM new
    RETURNING 1
), come AS (
    INSERT INTO chunk_terms (rag_index_build_id, document_chunk_id, document_id, terms, keys)
    SELECT %(build)s, document_chunk_id, document_id, terms, keys FROM new
    RETURNING keys
), moved AS (
    SELECT key, sum(step)::int AS chunks
    FROM (SELECT unnest(keys) AS key, 1 AS step FROM come UNION ALL SELECT unnest(keys), -1 FROM gone) k
    WHERE %(counting)s
    GROUP BY key
    HAVING sum(step) <> 0
    ORDER BY key
), counted AS (
    INSERT INTO term_count AS held (rag_index_build_id, key, chunks)
    SELECT %(build)s, key, chunks FROM moved
    ON CONFLICT (rag_index_build_id, key) DO UPDATE SET chunks = held.chunks + excluded.chunks
), listed AS (
    -- Put together without a join: nobody knows how long the lists are.
    SELECT document_id, array_agg(document_chunk_id ORDER BY position) AS chunk_ids
    FROM (SELECT b.document_id, part.number - 1 AS position, part.document_chunk_id
          FROM batch b CROSS JOIN LATERAL unnest(b.planned) WITH ORDINALITY AS part (document_chunk_id, number)
          WHERE part.document_chunk_id IS NOT NULL
          UNION ALL SELECT document_id, position, document_chunk_id FROM new) part
    GROUP BY document_id
), serving AS (
    INSERT INTO published_document (rag_index_build_id, document_id, document_content_id, chunk_ids, places)
    SELECT %(build)s, b.document_id, b.latest_content_id, coalesce(l.chunk_ids, '{}'), b.places
    FROM batch b LEFT JOIN listed l USING (document_id)
    ON CONFLICT (rag_index_build_id, document_id)
        DO UPDATE SET document_content_id = excluded.document_content_id, chunk_ids = excluded.chunk_ids,
                      published_at = now(), places = excluded.places
), marked AS (
    -- In the same transaction: no target is ever behind without a row that says so.
    INSERT INTO sync_operations AS held (index_target_id, rag_index_build_id, document_id, operation, held)
    SELECT t.index_target_id, %(build)s, b.document_id, 'put', coalesce(b.served, '{}')
    FROM index_target t CROSS JOIN batch b
    WHERE t.rag_index_id = %(rag_index_id)s
    ON CONFLICT (index_target_id, rag_index_build_id, document_id)
        DO UPDATE SET operation = 'put', seq = nextval('sync_operations_seq'), attempts = 0, parked_reason = NULL
)
SELECT (SELECT count(*) FROM published) AS published,
       (SELECT count(*) FROM retired) AS retired,
       (SELECT count(*) FROM batch WHERE served_content_id IS NULL) AS new_objects;
