-- The stores with collections that nobody wants any more, and that may be tried now.
-- in: nothing
-- out: kind, location, collections
SELECT kind, location, array_agg(collection ORDER BY unwanted_collection_id) AS collections
FROM unwanted_collection
GROUP BY kind, location
HAVING coalesce(max(next_attempt_at), now()) <= now()
ORDER BY min(since);
