-- The statements of this database that take longest on average, without their text.
-- in: most (how many)
-- out: query_id, calls, mean_seconds, total_seconds; the slowest first
SELECT queryid AS query_id, sum(calls)::bigint AS calls,
       (sum(total_exec_time) / sum(calls) / 1000)::float8 AS mean_seconds, (sum(total_exec_time) / 1000)::float8 AS total_seconds
FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid IS NOT NULL
GROUP BY queryid
HAVING sum(calls) >= 10
ORDER BY mean_seconds DESC
LIMIT %(most)s;
