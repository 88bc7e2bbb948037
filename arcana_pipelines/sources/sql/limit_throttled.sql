-- The server said 429. A burst of them is one event: the window shrinks once a second at most.
-- in: credential (hash of the token), pause (seconds), reason (what the server said), shrink (whether the window does),
--     lowest (requests a minute that the window keeps)
-- out: nothing
UPDATE source_limit SET
    paused_until = greatest(CASE WHEN paused_until <= clock_timestamp() + interval '1 hour' THEN paused_until END,
                            clock_timestamp() + make_interval(secs => %(pause)s)),
    reason = %(reason)s,
    per_minute = CASE WHEN %(shrink)s AND configured > 0 AND adjusted_at < clock_timestamp() - interval '1 second'
                      THEN greatest(%(lowest)s, per_minute * 0.8) ELSE per_minute END,
    adjusted_at = clock_timestamp()
WHERE credential_hash = %(credential)s;
