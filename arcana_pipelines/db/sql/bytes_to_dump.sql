-- in: names (of the tables, views and sequences that releases of ours make)
-- out: the bytes of those in the current schema and of their partitions, without indexes
WITH RECURSIVE ours AS (
    SELECT c.oid, c.relkind
    FROM pg_class c
    WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname = ANY (%(names)s)
    UNION
    SELECT c.oid, c.relkind
    FROM pg_inherits i
    JOIN ours ON ours.oid = i.inhparent
    JOIN pg_class c ON c.oid = i.inhrelid
)
SELECT coalesce(sum(pg_table_size(oid)), 0)::bigint FROM ours WHERE relkind = 'r'
