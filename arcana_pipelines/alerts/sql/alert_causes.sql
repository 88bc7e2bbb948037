-- What is wrong now with active workspaces, as far as our own rows say it.
-- in: monthly_budget (US dollars, or NULL)
-- out: cause, workspace (slug), facts (JSON: what the text of the cause is made of)
WITH active AS MATERIALIZED (
    SELECT workspace_id, slug, generation, created_at, polled_at, poll_failures, poll_problem, sync_needed,
           coalesce(embedding_budget, %(monthly_budget)s::numeric) AS budget
    FROM workspace WHERE status = 'active'
), newest_listings AS (
    -- The newest listing, and the newest whole one: an incremental listing that went well says nothing of what an
    -- audit that was cut short has not seen.
    SELECT a.slug, g.* FROM active a CROSS JOIN LATERAL (
        (SELECT generation, mode, listing_complete, problems FROM sync_generation g
         WHERE g.workspace_id = a.workspace_id AND listing_complete IS NOT NULL
         ORDER BY generation DESC LIMIT 1)
        UNION
        (SELECT generation, mode, listing_complete, problems FROM sync_generation g
         WHERE g.workspace_id = a.workspace_id AND listing_complete IS NOT NULL AND mode <> 'incremental'
           AND generation > a.generation - 1000
         ORDER BY generation DESC LIMIT 1)
    ) g
), quarantine AS (
    -- Pages that failed twice, or that nothing but an edit or a person brings back.
    SELECT p.workspace_id, count(*) AS pages,
           (array_agg(p.title ORDER BY p.external_id))[1:3] AS titles, min(p.reason) AS reason
    FROM source_page p JOIN active a USING (workspace_id)
    WHERE p.state = 'quarantined' AND (p.attempts >= 2 OR p.next_attempt_at IS NULL)
    GROUP BY p.workspace_id
), unknown AS (
    SELECT a.slug, u.version, u.path, u.path_key, u.times, u.documents,
           row_number() OVER (PARTITION BY u.workspace_id ORDER BY u.first_at, u.path_key) AS rank
    FROM active a
    JOIN taxonomy_version v USING (workspace_id)
    JOIN taxonomy_unknown_path u USING (workspace_id, version)
    WHERE v.state = 'active'
)
SELECT 'incomplete_listing' AS cause, slug AS workspace,
       jsonb_build_object('mode', mode, 'problem', problems->>0) AS facts
FROM (SELECT DISTINCT ON (slug) * FROM newest_listings WHERE NOT listing_complete
      ORDER BY slug, generation DESC) AS incomplete
UNION ALL
SELECT 'waiting_removals', a.slug, jsonb_build_object('mode', g.mode, 'pages', g.waiting, 'titles', ARRAY(
           SELECT p.title FROM source_page p
           WHERE p.workspace_id = a.workspace_id AND p.state = 'suspect' AND NOT p.is_container
           ORDER BY p.external_id LIMIT 3
       ))
FROM active a CROSS JOIN LATERAL (
    SELECT mode, (counters->>'waiting_removals')::bigint AS waiting FROM sync_generation g
    WHERE g.workspace_id = a.workspace_id AND counters ? 'waiting_removals'
    ORDER BY generation DESC LIMIT 1
) g
WHERE g.waiting > 0
UNION ALL
SELECT 'quarantine_growing', a.slug,
       jsonb_build_object('pages', q.pages, 'before', before.pages, 'titles', q.titles, 'reason', q.reason)
FROM quarantine q JOIN active a USING (workspace_id) CROSS JOIN LATERAL (
    SELECT coalesce((
        SELECT (counters->>'quarantined')::bigint FROM sync_generation g
        WHERE g.workspace_id = q.workspace_id AND finished_at < now() - interval '1 day' AND counters ? 'quarantined'
        ORDER BY generation DESC LIMIT 1
    ), 0) AS pages
) before
WHERE q.pages > before.pages
UNION ALL
SELECT 'files_unread', a.slug,
       jsonb_build_object('files', count(*), 'names', (array_agg(f.name ORDER BY f.external_id))[1:3],
                          'reason', min(coalesce(f.detail, f.reason)))
FROM active a JOIN source_file f USING (workspace_id)
WHERE f.state = 'quarantined' AND f.next_attempt_at IS NULL
   OR f.state = 'stored' AND greatest(f.fetched_at, f.added_at) < now() - interval '1 hour'
GROUP BY a.slug
UNION ALL
-- The first ten that came one by one, later ones as a number: an import that went wrong leaves thousands.
SELECT 'unknown_topic', slug,
       jsonb_build_object('version', version, 'labels', path, 'key', encode(path_key, 'hex'), 'times', times, 'titles', (
           SELECT array_agg(coalesce(p.title, f.name) ORDER BY d.position)
           FROM unnest(documents) WITH ORDINALITY AS d(document_id, position)
           LEFT JOIN source_page p USING (document_id)
           LEFT JOIN source_file f USING (document_id)
       ))
FROM unknown WHERE rank <= 10
UNION ALL
SELECT 'unknown_topics', slug, jsonb_build_object('version', min(version), 'more', count(*))
FROM unknown WHERE rank > 10
GROUP BY slug
UNION ALL
SELECT 'source_unreachable', slug, jsonb_build_object('problem', poll_problem, 'failures', poll_failures)
FROM active WHERE poll_failures >= 3
UNION ALL
SELECT 'budget_reached', a.slug, jsonb_build_object('spent', s.spent, 'limit', a.budget)
FROM active a CROSS JOIN LATERAL (
    SELECT coalesce(sum(cost), 0) AS spent FROM embedding_usage u
    WHERE u.workspace_id = a.workspace_id AND u.month = date_trunc('month', now() AT TIME ZONE 'UTC')
) s
WHERE a.budget > 0 AND s.spent >= a.budget
UNION ALL
-- Fresh is what a sync has finished, or what a look found to be as the source has it.
SELECT 'stale', a.slug, jsonb_build_object('hours', floor(extract(epoch FROM now() - f.fresh) / 3600))
FROM active a CROSS JOIN LATERAL (
    SELECT greatest(
        a.created_at,
        (SELECT finished_at FROM sync_generation g
         WHERE g.workspace_id = a.workspace_id AND finished_at IS NOT NULL ORDER BY generation DESC LIMIT 1),
        CASE WHEN a.generation > 0 AND a.poll_failures = 0 AND a.sync_needed IS NULL THEN a.polled_at END
    ) AS fresh
) f
WHERE f.fresh < now() - interval '26 hours'
UNION ALL
-- One that fails eight times in a row has failed for some minutes, also where no document waits: a build of which it has
-- nothing yet, or a collection that does not become equal.
SELECT 'target_behind', a.slug,
       jsonb_build_object('target', t.name, 'waiting', s.waiting, 'minutes', floor(s.minutes), 'problem', t.last_error)
FROM active a JOIN index_target t USING (workspace_id) CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(o.since)) / 60, 0) AS minutes
    FROM sync_operations o WHERE o.index_target_id = t.index_target_id AND o.parked_reason IS NULL
) s
WHERE NOT t.is_paused AND (s.minutes > 5 OR t.failures >= 8)
UNION ALL
SELECT 'target_refuses', a.slug,
       jsonb_build_object('target', t.name, 'parked', s.parked, 'reason', s.reason)
FROM active a JOIN index_target t USING (workspace_id) CROSS JOIN LATERAL (
    SELECT count(*) AS parked, min(o.parked_reason) AS reason
    FROM sync_operations o WHERE o.index_target_id = t.index_target_id AND o.parked_reason IS NOT NULL
) s
WHERE NOT t.is_paused AND s.parked > 0
UNION ALL
-- What serves was proven equal, and either its collection was made anew since, or it is there by our rows alone: whether the
-- file or folder of the store is, only who has its disk can say.
SELECT 'target_wiped', a.slug,
       jsonb_build_object('target', t.name, 'location', t.location, 'is_made_anew', t.serving_build_id IS NULL,
                          'problem', t.last_error)
FROM active a
JOIN index_target t USING (workspace_id)
JOIN rag_indexes i ON i.rag_index_id = t.rag_index_id
JOIN target_collection c ON c.index_target_id = t.index_target_id AND c.rag_index_build_id = i.active_build_id
WHERE NOT t.is_paused AND (c.verification->>'is_equal')::boolean AND (t.serving_build_id IS NULL OR c.vector_count > 0)
ORDER BY workspace, cause;
