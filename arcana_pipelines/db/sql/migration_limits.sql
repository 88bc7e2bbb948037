-- A shorter limit of the server, the database or the role is left.
-- in: lock, statement (milliseconds a migration waits for a table, and that a statement of it takes; NULL: no limit)
-- out: what was set
SELECT set_config(name, wanted::text, false)
FROM (VALUES ('lock_timeout', %(lock)s::integer), ('statement_timeout', %(statement)s::integer)) AS limits (name, wanted)
JOIN pg_settings USING (name)
WHERE wanted IS NOT NULL AND (setting = '0' OR setting::bigint > wanted)
