-- Take removed documents out of a build.
WITH removed AS (
    DELETE FROM published_document s USING document d
    WHERE s.rag_index_build_id = %(build)s AND d.document_id = s.document_id AND d.deleted_at IS NOT NULL
    RETURNING s.document_content_id
), retired AS (
    UPDATE document_chunk k SET deleted_at = now(), updated_at = now()
    FROM removed
    WHERE k.rag_index_build_id = %(build)s AND k.document_content_id = removed.document_content_id
      AND k.deleted_at IS NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM retired) AS retired, (SELECT count(*) FROM removed) AS removed_objects;
