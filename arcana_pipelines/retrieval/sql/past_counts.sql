-- How many of the chunks that were seen at a time have these keys.
-- in: terms (table), keys
-- out: key, chunks (number)
SELECT key, count(*)
FROM (SELECT unnest(t.keys) AS key FROM {terms} t WHERE t.keys && %(keys)s::int[]) held
WHERE key = ANY(%(keys)s::int[])
GROUP BY key;
