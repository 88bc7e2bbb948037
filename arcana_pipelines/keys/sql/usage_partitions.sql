-- The partitions of the log of use.
-- in: nothing
-- out: name
SELECT c.relname AS name
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass('api_usage_logs')
ORDER BY c.relname;
