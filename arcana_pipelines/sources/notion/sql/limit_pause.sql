-- Seconds that everybody who uses this token must wait.
SELECT greatest(0, extract(epoch FROM paused_until - clock_timestamp()))
FROM source_limit WHERE credential_hash = %(credential)s;
