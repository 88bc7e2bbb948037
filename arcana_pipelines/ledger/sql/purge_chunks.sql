-- Chunks that no search could reach for a long time, and versions that none showed. What a build showed before the last of them went is then unknown.
-- in: workspace_id, days (since they were retired)
-- out: nothing
WITH build AS (
    SELECT b.rag_index_build_id FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
    WHERE i.workspace_id = %(workspace_id)s
), chunks AS (
    DELETE FROM chunk k
    WHERE k.rag_index_build_id = ANY(ARRAY(SELECT rag_index_build_id FROM build))
      AND k.deleted_at < now() - make_interval(days => %(days)s)
    RETURNING k.rag_index_build_id, k.deleted_at
), versions AS (
    DELETE FROM retired_document v
    WHERE v.rag_index_build_id = ANY(ARRAY(SELECT rag_index_build_id FROM build))
      AND v.retired_at < now() - make_interval(days => %(days)s)
    RETURNING v.rag_index_build_id, v.retired_at
), purged AS (
    SELECT rag_index_build_id, deleted_at FROM chunks UNION ALL SELECT rag_index_build_id, retired_at FROM versions
)
UPDATE rag_index_build b SET remembers_since = greatest(b.remembers_since, lost.until)
FROM (SELECT rag_index_build_id, max(deleted_at) AS until FROM purged GROUP BY 1) lost
WHERE b.rag_index_build_id = lost.rag_index_build_id;
