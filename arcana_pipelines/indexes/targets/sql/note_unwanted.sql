-- A collection of a deliverer who was overtaken, or whose target was dropped, is to be dropped unless the target has it.
-- in: kind, location, collection
-- out: nothing
INSERT INTO unwanted_collection (kind, location, collection)
SELECT %(kind)s, %(location)s, %(collection)s
WHERE NOT EXISTS (
    SELECT FROM target_collection
    WHERE kind = %(kind)s AND location = %(location)s AND collection = %(collection)s
) AND NOT EXISTS (
    SELECT FROM unwanted_collection
    WHERE kind = %(kind)s AND location = %(location)s AND collection = %(collection)s
);
