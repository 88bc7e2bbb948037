-- in: names (of tables and views)
-- out: those that are tables in the current schema: of a view, the tables below it would be locked
SELECT c.relname::text
FROM pg_class c
WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p')
  AND c.relname = ANY (%(names)s)
