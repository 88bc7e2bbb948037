-- Seconds that everybody who uses this token must wait.
-- in: credential (hash of the token)
-- out: seconds to wait; 0: no process has to
SELECT greatest(0, extract(epoch FROM paused_until - clock_timestamp()))
FROM source_limit
-- No pause is longer than that: the clock was set back.
WHERE credential_hash = %(credential)s AND paused_until <= clock_timestamp() + interval '1 hour';
