-- Some documents that wait, those that have waited longest first, with what the target has of them and what is published.
-- From now on the target may have what is published, too, and lack what is not: whoever delivers may be killed in the middle.
-- Under the index's lock. The array is looked up: the planner takes a set that was just filled for an empty one.
-- in: index_target_id, build (rag_index_build_id), except (documents that were refused already), documents, chunks (at most;
--     the first document always)
-- out: the fields of Dirty
WITH first AS (
    SELECT document_id, seq, held, tried
    FROM sync_operations
    WHERE index_target_id = %(index_target_id)s AND rag_index_build_id = %(build)s AND parked_reason IS NULL
      AND document_id <> ALL(%(except)s::uuid[])
    ORDER BY seq
    LIMIT %(documents)s
), weighed AS MATERIALIZED (
    SELECT f.*, p.chunk_ids,
           sum(coalesce(cardinality(p.chunk_ids), 1)) OVER (ORDER BY f.seq) AS chunks, row_number() OVER (ORDER BY f.seq)
    FROM first f
    LEFT JOIN published_document p ON p.rag_index_build_id = %(build)s AND p.document_id = f.document_id
)
UPDATE sync_operations s
SET held = CASE WHEN w.held IS NOT NULL THEN ARRAY(SELECT unnest(w.held) INTERSECT SELECT unnest(w.chunk_ids)) END,
    tried = ARRAY(SELECT DISTINCT unnest(w.tried || w.held || w.chunk_ids))
FROM weighed w
WHERE s.index_target_id = %(index_target_id)s AND s.rag_index_build_id = %(build)s AND s.document_id = w.document_id
  AND s.document_id = ANY(ARRAY(SELECT document_id FROM weighed))
  AND (w.row_number = 1 OR w.chunks <= %(chunks)s)
RETURNING s.document_id, w.seq, w.held, w.tried, coalesce(w.chunk_ids, '{}') AS published,
          w.chunk_ids IS NOT NULL AS is_published;
