-- The stores with collections that nobody wants any more, and that may be tried now.
-- in: nothing
-- out: kind, location, collections
SELECT kind, location, array_agg(collection ORDER BY unwanted_collection_id) AS collections
FROM unwanted_collection
GROUP BY kind, location
-- Nothing is put off for longer than some minutes: a clock that was set back put off the rest.
HAVING max(next_attempt_at) IS NULL OR max(next_attempt_at) NOT BETWEEN now() AND now() + interval '10 minutes'
ORDER BY min(since);
