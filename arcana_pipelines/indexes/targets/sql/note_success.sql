-- A target answered.
-- in: index_target_id
-- out: nothing
UPDATE index_target SET failures = 0, next_attempt_at = NULL, last_error = NULL
WHERE index_target_id = %(index_target_id)s AND (failures <> 0 OR last_error IS NOT NULL);
