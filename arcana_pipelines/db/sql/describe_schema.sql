-- Partitions of chunk come and go with builds: they are data, not schema.
-- in: nothing
-- out: a line for each column, constraint, index, trigger and policy of the tables in the current schema, which no line
--     names, and one for each view. The policies of companies come with a server's roles
WITH tables AS (
    SELECT c.oid, c.relname
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> 'alembic_version'
)
SELECT format('column %s.%s %s %s default %s %s', t.relname, a.attname,
              format_type(a.atttypid, a.atttypmod),
              CASE WHEN a.attnotnull THEN 'not null' ELSE 'null' END,
              coalesce(pg_get_expr(d.adbin, d.adrelid), '-'),
              a.attidentity)
FROM tables t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT format('constraint %s.%s %s', t.relname, o.conname, pg_get_constraintdef(o.oid))
FROM tables t
JOIN pg_constraint o ON o.conrelid = t.oid
WHERE o.contype NOT IN ('n', 't')
UNION ALL
SELECT 'index ' || replace(pg_get_indexdef(i.indexrelid), format(' %I.%I USING ', current_schema(), t.relname),
                           format(' %I USING ', t.relname))
FROM tables t
JOIN pg_index i ON i.indrelid = t.oid
UNION ALL
SELECT format('trigger %s.%s: %s, enabled %s', t.relname, g.tgname, p.proname, g.tgenabled)
FROM tables t
JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
JOIN pg_proc p ON p.oid = g.tgfoid
UNION ALL
SELECT format('row security of %s, forced %s', t.relname, c.relforcerowsecurity)
FROM tables t
JOIN pg_class c USING (oid)
WHERE c.relrowsecurity
UNION ALL
SELECT format('policy %s.%s: %s %s', t.relname, y.polname, y.polpermissive, pg_get_expr(y.polqual, t.oid))
FROM tables t
JOIN pg_policy y ON y.polrelid = t.oid
WHERE y.polname NOT IN ('of_company', 'of_readers')
UNION ALL
SELECT format('table %s partitioned by %s', t.relname, pg_get_partkeydef(t.oid))
FROM tables t
WHERE pg_get_partkeydef(t.oid) IS NOT NULL
UNION ALL
SELECT format('view %s: %s', c.relname, pg_get_viewdef(c.oid))
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind = 'v';
