-- in: nothing
-- out: a statement for each column that a sequence numbers: that goes on behind the highest number there is
SELECT format('SELECT setval(%%L, greatest((SELECT last_value FROM %%s), (SELECT max(%%I) FROM %%I)))',
              s.name, s.name, a.attname, c.relname)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN LATERAL (SELECT pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS name) s
WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND s.name IS NOT NULL AND (a.attidentity <> '' OR a.atthasdef)
