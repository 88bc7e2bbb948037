-- What the server says of this database: sizes, rows that are gone, connections, waits.
-- in: nothing
-- out: name (of the figure), labels, value
WITH ours AS MATERIALIZED (
    -- Parts of a table count with it.
    SELECT coalesce(pg_partition_root(c.oid), c.oid::regclass)::oid AS root, c.oid, c.relkind
    FROM pg_class c
    WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'workspace'::regclass)
      AND c.relkind IN ('r', 'p')
), tables AS MATERIALIZED (
    SELECT r.relname AS name, sum(CASE WHEN o.relkind = 'r' THEN pg_total_relation_size(o.oid) ELSE 0 END) AS bytes,
           sum(coalesce(pg_stat_get_live_tuples(o.oid), 0)) AS live, sum(coalesce(pg_stat_get_dead_tuples(o.oid), 0)) AS dead
    FROM ours o JOIN pg_class r ON r.oid = o.root
    GROUP BY r.relname
), sessions AS MATERIALIZED (
    SELECT CASE WHEN state LIKE 'idle in transaction%%' THEN 'idle in transaction' WHEN state IN ('active', 'idle') THEN state
                ELSE 'other' END AS state,
           wait_event_type, xact_start, query_start, pid, state = 'active' AS is_active
    FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
)
SELECT 'arcana_database_bytes' AS name, '{}'::text[] AS labels, pg_database_size(current_database())::float8 AS value
UNION ALL
SELECT figure.name, ARRAY[t.name::text], figure.value FROM tables t CROSS JOIN LATERAL (VALUES
    ('arcana_table_bytes', t.bytes::float8), ('arcana_table_rows', t.live::float8),
    ('arcana_table_dead_rows', t.dead::float8)
) AS figure(name, value)
UNION ALL
SELECT 'arcana_connections', ARRAY[known.state], count(s.pid)::float8
FROM unnest(ARRAY['active', 'idle', 'idle in transaction', 'other']) known(state) LEFT JOIN sessions s USING (state)
GROUP BY known.state
UNION ALL
SELECT 'arcana_connections_most', '{}', current_setting('max_connections')::float8
UNION ALL
SELECT figure.name, '{}', figure.value
FROM (
    SELECT count(*) FILTER (WHERE wait_event_type = 'Lock') AS locked,
           coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0) AS oldest,
           count(*) FILTER (WHERE is_active AND query_start < clock_timestamp() - interval '1 minute') AS long
    FROM sessions WHERE pid <> pg_backend_pid()
) s CROSS JOIN LATERAL (VALUES
    ('arcana_locks_waiting', s.locked::float8), ('arcana_oldest_transaction_seconds', s.oldest::float8),
    ('arcana_statements_long', s.long::float8)
) AS figure(name, value);
