-- Staged contents, and their chunks, that are no longer wanted, have lost chunks, or were cut beside another version than
-- the one that is served now: of that they may keep chunks.
-- in: build (rag_index_build_id)
-- out: nothing
WITH outdated AS (
    DELETE FROM content_stage t
    USING document_content c
    JOIN document d USING (document_id)
    LEFT JOIN published_document s ON s.rag_index_build_id = %(build)s AND s.document_id = c.document_id
    WHERE t.rag_index_build_id = %(build)s AND c.document_content_id = t.document_content_id
      AND (d.deleted_at IS NOT NULL OR d.latest_content_id <> t.document_content_id
           OR s.published_at IS DISTINCT FROM t.served_since
           OR cardinality(array_positions(t.chunk_ids, NULL)) <> (
               SELECT count(*) FROM chunk_stage k
               WHERE k.rag_index_build_id = t.rag_index_build_id AND k.document_content_id = t.document_content_id))
    RETURNING t.document_content_id
)
DELETE FROM chunk_stage k
WHERE k.rag_index_build_id = %(build)s
  AND (k.document_content_id IN (SELECT document_content_id FROM outdated)
       OR NOT EXISTS (SELECT 1 FROM content_stage t
                      WHERE t.rag_index_build_id = %(build)s AND t.document_content_id = k.document_content_id));
