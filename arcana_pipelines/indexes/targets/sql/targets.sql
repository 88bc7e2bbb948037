-- Targets, with what waits for them.
-- in: workspace_id (NULL: of all), name (NULL: all), targets (their ids; NULL: all)
-- out: the fields of Target
SELECT t.index_target_id, t.workspace_id, w.slug, t.rag_index_id, i.name AS index_name, t.name, t.kind, t.location,
       t.with_text, t.serves, t.is_paused, i.active_build_id, t.serving_build_id,
       CASE WHEN t.is_paused THEN 'paused' WHEN c.state = 'live' THEN 'live' ELSE 'filling' END AS state,
       coalesce(c.object_count, 0) AS object_count, coalesce(c.vector_count, 0) AS vector_count, c.delivered_at,
       c.verified_at, c.verification, waits.documents AS waiting, waits.parked,
       greatest(extract(epoch FROM now() - waits.since), 0)::float8 AS lag_seconds,
       t.failures, t.next_attempt_at, t.last_error
FROM index_target t
JOIN rag_indexes i USING (rag_index_id)
JOIN workspace w ON w.workspace_id = t.workspace_id
LEFT JOIN target_collection c ON c.index_target_id = t.index_target_id AND c.rag_index_build_id = i.active_build_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE parked_reason IS NULL) AS documents,
           count(*) FILTER (WHERE parked_reason IS NOT NULL) AS parked,
           min(since) FILTER (WHERE parked_reason IS NULL) AS since
    FROM sync_operations s WHERE s.index_target_id = t.index_target_id
) waits
WHERE (%(workspace_id)s::uuid IS NULL OR t.workspace_id = %(workspace_id)s) AND (%(name)s::text IS NULL OR t.name = %(name)s)
  AND (%(targets)s::uuid[] IS NULL OR t.index_target_id = ANY(%(targets)s))
ORDER BY w.slug, t.name;
