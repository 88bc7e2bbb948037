-- Runs that Dagster keeps beside our tables, of all jobs in it.
-- in: nothing
-- out: name (of the figure), labels, value
WITH open AS MATERIALIZED (
    SELECT lower(status) AS status, create_timestamp FROM dagster.runs
    WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')
)
SELECT 'arcana_dagster_runs' AS name, ARRAY[known.status] AS labels, count(o.status)::float8 AS value
FROM unnest(ARRAY['queued', 'not_started', 'starting', 'started', 'canceling']) known(status)
LEFT JOIN open o USING (status)
GROUP BY known.status
UNION ALL
SELECT 'arcana_dagster_runs_day', ARRAY[known.status], count(r.status)::float8
FROM unnest(ARRAY['success', 'failure', 'canceled']) known(status)
LEFT JOIN dagster.runs r ON r.status = upper(known.status) AND r.update_timestamp > now() AT TIME ZONE 'UTC' - interval '1 day'
GROUP BY known.status
UNION ALL
SELECT 'arcana_dagster_queue_seconds', '{}',
       coalesce(extract(epoch FROM now() AT TIME ZONE 'UTC' - min(create_timestamp)), 0)::float8
FROM open WHERE status = 'queued';
