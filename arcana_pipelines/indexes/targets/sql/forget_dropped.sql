-- A store has these collections no more.
-- in: kind, location, collections
-- out: nothing
DELETE FROM unwanted_collection
WHERE kind = %(kind)s AND location = %(location)s AND collection = ANY(%(collections)s::text[]);
