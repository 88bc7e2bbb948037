-- in: nothing
-- out: what PostgreSQL may use (bytes; connections that are not kept for superusers; its cost of a random page), the
--      bytes of this database, and about how many chunks there are (0 before the first ANALYZE)
SELECT pg_size_bytes(current_setting('shared_buffers')) AS shared_buffers,
       pg_size_bytes(current_setting('effective_cache_size')) AS effective_cache_size,
       pg_size_bytes(current_setting('work_mem')) AS work_mem,
       pg_size_bytes(current_setting('maintenance_work_mem')) AS maintenance_work_mem,
       current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
           AS connections,
       current_setting('random_page_cost')::float AS random_page_cost,
       pg_database_size(current_database()) AS database_size,
       coalesce((
           SELECT sum(greatest(c.reltuples, 0))::bigint
           FROM pg_inherits i
           JOIN pg_class c ON c.oid = i.inhrelid
           WHERE i.inhparent = to_regclass('chunk')
       ), 0) AS chunks
