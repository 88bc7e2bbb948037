-- in: names (of tables)
-- out: each of those in the current schema, and another table that it refers to by a foreign key
SELECT DISTINCT c.relname::text, r.relname::text
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_class r ON r.oid = k.confrelid
WHERE k.contype = 'f' AND c.oid <> r.oid AND c.relnamespace = to_regnamespace(quote_ident(current_schema()))
  AND c.relname = ANY (%(names)s)
