-- A store did not drop its collections: it is tried again after a second, two, four, … five minutes, a little sooner or
-- later by chance.
-- in: kind, location, error
-- out: nothing
UPDATE unwanted_collection
SET failures = failures + 1, last_error = %(error)s,
    next_attempt_at = now() + make_interval(secs => least(300, 2 ^ least(failures, 9)) * (0.75 + random() / 2))
WHERE kind = %(kind)s AND location = %(location)s;
