-- in: table, column
-- out: what a new row has in it, as SQL ('NULL': nothing); no row: there is no such column
SELECT coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL')
FROM pg_attribute a
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass(quote_ident(%(table)s)) AND a.attname = %(column)s AND NOT a.attisdropped
