-- Take removed documents out of a build. Arrays are looked up: see publish_documents.sql.
-- in: rag_index_id, build (rag_index_build_id)
-- out: retired (chunks), removed_objects (documents)
WITH removed AS (
    DELETE FROM published_document s USING document d
    WHERE s.rag_index_build_id = %(build)s AND d.document_id = s.document_id AND d.deleted_at IS NOT NULL
    RETURNING s.document_id, s.document_content_id, s.chunk_ids, s.published_at, s.places
), replaced AS (
    INSERT INTO retired_document (rag_index_build_id, document_id, document_content_id, chunk_ids, published_at,
                                  retired_at, places)
    SELECT %(build)s, document_id, document_content_id, chunk_ids, published_at, now(), places FROM removed
), retired AS (
    UPDATE chunk k SET deleted_at = now(), updated_at = now()
    WHERE k.rag_index_build_id = %(build)s AND k.deleted_at IS NULL
      AND k.document_chunk_id = ANY(ARRAY(SELECT unnest(chunk_ids) FROM removed))
    RETURNING k.document_chunk_id
), gone AS (
    DELETE FROM chunk_terms t
    WHERE t.rag_index_build_id = %(build)s AND t.document_chunk_id = ANY(ARRAY(SELECT document_chunk_id FROM retired))
    RETURNING t.document_chunk_id, t.document_id, t.terms, t.keys
), kept AS (
    -- For searches of the past.
    INSERT INTO retired_chunk_terms (rag_index_build_id, document_chunk_id, document_id, terms, keys)
    SELECT %(build)s, document_chunk_id, document_id, terms, keys FROM gone
), counted AS (
    UPDATE term_count held SET chunks = held.chunks - moved.chunks
    FROM (SELECT unnest(keys) AS key, count(*) AS chunks FROM gone GROUP BY 1) moved
    WHERE held.rag_index_build_id = %(build)s AND held.key = moved.key
), marked AS (
    INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation, held)
    SELECT t.index_target_id, %(build)s, r.document_id, 'remove', r.chunk_ids
    FROM index_target t CROSS JOIN removed r
    WHERE t.rag_index_id = %(rag_index_id)s
    ON CONFLICT (index_target_id, rag_index_build_id, document_id)
        DO UPDATE SET operation = 'remove', seq = nextval('sync_operations_seq'), attempts = 0, parked_reason = NULL
)
SELECT (SELECT count(*) FROM retired) AS retired, (SELECT count(*) FROM removed) AS removed_objects;
