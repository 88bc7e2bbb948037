-- How many summaries each workspace with tickets has, waits for and could not get, and what they have used today (UTC).
-- in: workspace_id (or NULL: of all workspaces), model, prompt_version (both NULL: whichever; then no summary is read),
--     samples (platforms that are left out)
-- out: the fields of SummaryCounts; no row where there are no tickets
SELECT w.slug AS workspace, t.made, t.failed, t.waiting, t.under_way,
       (SELECT coalesce(sum(u.input_tokens + u.output_tokens), 0)::bigint FROM summary_usage u
        WHERE u.workspace_id = w.workspace_id AND u.day = (now() AT TIME ZONE 'UTC')::date) AS tokens_today
FROM workspace w
CROSS JOIN LATERAL (
    SELECT count(*) AS tickets,
           count(*) FILTER (WHERE is_made) AS made,
           count(*) FILTER (WHERE NOT is_made AND is_failed) AS failed,
           count(*) FILTER (WHERE NOT is_made AND is_under_way) AS under_way,
           count(*) FILTER (WHERE NOT is_made AND NOT is_failed AND NOT is_under_way) AS waiting
    FROM (
        SELECT x.is_processed
               AND (%(model)s::text IS NULL
                    OR (x.summary->>'model', x.summary->>'prompt_version')
                       IS NOT DISTINCT FROM (%(model)s, %(prompt_version)s::text)) AS is_made,
               coalesce(a.state = 'failed' AND a.content_hash = x.content_hash
                        AND (%(model)s::text IS NULL
                             OR (a.model, a.prompt_version) = (%(model)s, %(prompt_version)s::integer)), false
               ) AS is_failed,
               coalesce(a.state = 'under_way' AND a.ends_at > now(), false) AS is_under_way
        FROM tickets x LEFT JOIN summary_attempt a ON a.ticket_id = x.id
        WHERE x.company_id = w.company_id AND x.platform = w.platform AND x.workspace_id = w.workspace_id
          AND x.removed_at IS NULL AND x.content_hash IS NOT NULL
    ) one
) t
WHERE (%(workspace_id)s::uuid IS NULL OR w.workspace_id = %(workspace_id)s) AND t.tickets > 0 AND w.platform <> ALL(%(samples)s)
ORDER BY w.slug;
