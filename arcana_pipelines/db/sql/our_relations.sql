-- in: names (of the tables, views and sequences that releases of ours make)
-- out: those of them in the current schema, and the partitions of the tables, each as pg_dump takes its name
WITH RECURSIVE ours AS (
    SELECT c.oid
    FROM pg_class c
    WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p', 'S', 'v')
      AND c.relname = ANY (%(names)s)
    UNION
    SELECT i.inhrelid
    FROM pg_inherits i
    JOIN ours ON ours.oid = i.inhparent
)
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM ours
JOIN pg_class c USING (oid)
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1
