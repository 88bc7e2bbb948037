-- What our own rows say, each figure with its labels in the order of the catalogue.
-- in: monthly_budget (US dollars, or NULL)
-- out: name (of the figure), labels, value
WITH w AS MATERIALIZED (
    SELECT workspace_id, slug, status, generation, created_at, polled_at, poll_failures, sync_needed, credential_hash,
           coalesce(embedding_budget, %(monthly_budget)s::numeric) AS budget
    FROM workspace
), syncs AS MATERIALIZED (
    -- Of each workspace the newest, so that no ledger of years is read.
    SELECT w.workspace_id, w.slug, g.mode, g.generation, g.started_at, g.finished_at, g.counters,
           g.generation = max(g.generation) OVER (PARTITION BY w.workspace_id) AS is_newest
    FROM w JOIN sync_generation g ON g.workspace_id = w.workspace_id AND g.generation > w.generation - 500
    WHERE NOT coalesce((g.counters->>'is_estimate')::boolean, false)
), finished AS MATERIALIZED (
    SELECT DISTINCT ON (workspace_id, mode) * FROM syncs WHERE finished_at IS NOT NULL
    ORDER BY workspace_id, mode, generation DESC
), work AS MATERIALIZED (
    -- All states but the two that most pages are in have an index of their own.
    SELECT workspace_id, state, count(*) AS pages FROM source_page
    WHERE state NOT IN ('unchanged', 'tombstoned') GROUP BY workspace_id, state
    UNION ALL
    SELECT workspace_id, 'tombstoned', count(*) FROM source_page WHERE state = 'tombstoned' GROUP BY workspace_id
), listed AS MATERIALIZED (
    SELECT workspace_id, count(*) AS pages FROM source_page GROUP BY workspace_id
), spent AS MATERIALIZED (
    SELECT w.slug, w.budget, coalesce(sum(u.tokens), 0) AS tokens, coalesce(sum(u.cost), 0) AS cost
    FROM w LEFT JOIN embedding_usage u
        ON u.workspace_id = w.workspace_id AND u.month = date_trunc('month', now() AT TIME ZONE 'UTC')
    GROUP BY w.workspace_id, w.slug, w.budget
)
SELECT 'arcana_workspaces' AS name, ARRAY[status] AS labels, count(*)::float8 AS value FROM w GROUP BY status
UNION ALL
SELECT figure.name, ARRAY[w.slug, i.name], figure.value
FROM rag_indexes i JOIN w USING (workspace_id) CROSS JOIN LATERAL (VALUES
    ('arcana_publish_timestamp_seconds', extract(epoch FROM i.updated)::float8),
    ('arcana_documents', i.published_objects::float8),
    ('arcana_chunks', i.published_vectors::float8)
) AS figure(name, value)
UNION ALL
SELECT 'arcana_sync_timestamp_seconds', ARRAY[slug], extract(epoch FROM max(finished_at))::float8 FROM finished GROUP BY slug
UNION ALL
-- As the cause `stale` has it.
SELECT 'arcana_fresh_timestamp_seconds', ARRAY[w.slug], extract(epoch FROM greatest(
    w.created_at,
    (SELECT max(finished_at) FROM finished f WHERE f.workspace_id = w.workspace_id),
    CASE WHEN w.generation > 0 AND w.poll_failures = 0 AND w.sync_needed IS NULL THEN w.polled_at END
))::float8 FROM w WHERE status = 'active'
UNION ALL
SELECT 'arcana_syncs_day', ARRAY[s.slug, s.mode, CASE
    WHEN s.finished_at IS NOT NULL THEN 'finished'
    WHEN s.counters->>'ended' = 'interrupted' THEN 'interrupted'
    WHEN s.is_newest AND l.run IS NOT NULL THEN 'running'
    ELSE 'failed' END], count(*)::float8
FROM syncs s LEFT JOIN workspace_lease l USING (workspace_id)
WHERE s.started_at > now() - interval '1 day'
GROUP BY 2
UNION ALL
SELECT 'arcana_sync_seconds', ARRAY[slug, mode], extract(epoch FROM finished_at - started_at)::float8 FROM finished
UNION ALL
SELECT 'arcana_generations', ARRAY[slug], generation::float8 FROM w
UNION ALL
SELECT 'arcana_pages', ARRAY[w.slug, work.state], work.pages::float8 FROM work JOIN w USING (workspace_id)
UNION ALL
SELECT 'arcana_pages', ARRAY[w.slug, 'unchanged'],
       (listed.pages - coalesce((SELECT sum(pages) FROM work WHERE work.workspace_id = w.workspace_id), 0))::float8
FROM listed JOIN w USING (workspace_id)
UNION ALL
SELECT 'arcana_files', ARRAY[w.slug, f.state], f.files::float8
FROM (SELECT workspace_id, state, count(*) AS files FROM source_file GROUP BY workspace_id, state) f
JOIN w USING (workspace_id)
UNION ALL
SELECT 'arcana_removals_waiting', ARRAY[w.slug], coalesce((
    SELECT (s.counters->>'waiting_removals')::float8 FROM syncs s
    WHERE s.workspace_id = w.workspace_id AND s.counters ? 'waiting_removals' ORDER BY s.generation DESC LIMIT 1), 0)
FROM w
UNION ALL
SELECT 'arcana_poll_failures', ARRAY[slug], poll_failures::float8 FROM w
UNION ALL
SELECT 'arcana_source_paused_seconds', ARRAY[w.slug], greatest(extract(epoch FROM l.paused_until - now()), 0)::float8
FROM w LEFT JOIN source_limit l USING (credential_hash)
UNION ALL
SELECT figure.name, ARRAY[w.slug], figure.value
FROM w CROSS JOIN LATERAL (
    SELECT count(*) AS events, coalesce(extract(epoch FROM now() - min(received_at)), 0) AS seconds
    FROM webhook_event e WHERE e.workspace_id = w.workspace_id AND e.generation IS NULL
) e CROSS JOIN LATERAL (VALUES
    ('arcana_events_waiting', e.events::float8), ('arcana_events_waiting_seconds', e.seconds::float8)
) AS figure(name, value)
UNION ALL
SELECT figure.name, ARRAY[w.slug], figure.value
FROM w CROSS JOIN LATERAL (
    SELECT coalesce(sum(texts), 0) AS texts, coalesce(extract(epoch FROM now() - min(created_at)), 0) AS seconds
    FROM embedding_batch b WHERE b.workspace_id = w.workspace_id AND b.state IN ('sending', 'waiting')
) b CROSS JOIN LATERAL (VALUES
    ('arcana_batch_texts_waiting', b.texts::float8), ('arcana_batch_waiting_seconds', b.seconds::float8)
) AS figure(name, value)
UNION ALL
SELECT figure.name, ARRAY[slug], figure.value FROM spent CROSS JOIN LATERAL (VALUES
    ('arcana_embedding_tokens_month', tokens::float8), ('arcana_embedding_usd_month', cost::float8),
    ('arcana_embedding_budget_usd', budget::float8)
) AS figure(name, value)
WHERE figure.value IS NOT NULL
UNION ALL
SELECT 'arcana_alerts_untold', '{}', count(DISTINCT alert_id)::float8
FROM alert JOIN alert_delivery d USING (alert_id)
WHERE resolved_at IS NULL AND d.told_at IS NULL AND d.unanswered_at IS NULL AND since < now() - interval '10 minutes'
UNION ALL
SELECT 'arcana_component_state', ARRAY[component],
       max(CASE state WHEN 'ok' THEN 0 WHEN 'degraded' THEN 1 ELSE 2 END)::float8
FROM v_system_health GROUP BY component;
