-- How many of the chunks that were seen at a time have these keys.
SELECT key, count(*)
FROM (SELECT unnest(t.keys) AS key FROM {terms} t WHERE t.keys && %(keys)s::int[]) held
WHERE key = ANY(%(keys)s::int[])
GROUP BY key;
