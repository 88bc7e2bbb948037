-- A version table alone may be another application's: many keep theirs under this name.
-- in: nothing
-- out: the first schema on the search path that our tables are in (no row: none)
SELECT path.name
FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, place)
WHERE to_regclass(format('%I.alembic_version', path.name)) IS NOT NULL
  AND to_regclass(format('%I.rag_index_build', path.name)) IS NOT NULL
ORDER BY path.place
LIMIT 1
