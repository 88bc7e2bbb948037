-- A target failed: it is tried again after a second, two, four, … five minutes, a little sooner or later by chance.
-- in: index_target_id, error
-- out: failures
UPDATE index_target
SET failures = failures + 1, last_error = %(error)s,
    next_attempt_at = now() + make_interval(secs => least(300, 2 ^ least(failures, 9)) * (0.75 + random() / 2))
WHERE index_target_id = %(index_target_id)s
RETURNING failures;
