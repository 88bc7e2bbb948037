-- The source has said how many requests a minute it allows.
-- in: credential (hash of the token), per_minute
-- out: nothing
UPDATE source_limit SET per_minute = %(per_minute)s, adjusted_at = clock_timestamp()
WHERE credential_hash = %(credential)s AND per_minute <> %(per_minute)s::real;
