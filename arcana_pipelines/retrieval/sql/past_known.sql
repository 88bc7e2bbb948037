-- Is a time still to come, what time is it, and since when, after that time, is known what an index showed?
-- in: workspace_id, index (name), build (rag_index_build_id, or NULL), as_of (time)
-- out: whether it is still to come, now, since when the index is known
SELECT %(as_of)s::timestamptz > clock_timestamp(), clock_timestamp(), (
    SELECT min(greatest(b.promoted_at, b.remembers_since))
    FROM rag_indexes i
    JOIN rag_index_build b USING (rag_index_id)
    WHERE i.workspace_id = %(workspace_id)s AND i.name = %(index)s
      AND b.rag_index_build_id = coalesce(%(build)s::int, b.rag_index_build_id)
      AND (b.promoted_at IS NOT NULL OR %(build)s::int IS NOT NULL)
      AND greatest(b.promoted_at, b.remembers_since) > %(as_of)s::timestamptz
      AND (b.retired_at IS NULL OR b.retired_at > b.remembers_since));
