-- in: names (of tables and views)
-- out: those in the current schema, and the bytes of each with its indexes and partitions
SELECT c.relname::text,
       pg_total_relation_size(c.oid)
       + coalesce((SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = c.oid), 0)::bigint
FROM pg_class c
WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p', 'v')
  AND c.relname = ANY (%(names)s)
ORDER BY 1
