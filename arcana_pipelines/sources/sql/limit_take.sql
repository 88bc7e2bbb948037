-- Take a place in the window of the last 60 seconds, with the token's row locked: 0, or the seconds to wait.
-- A window that was full for two minutes without a complaint grows by a quarter: the plan allows more.
-- What is yet to come was written before the clock was set back: it counts for nothing, nor does a pause of over an hour.
-- in: credential (hash of the token), highest (requests a minute that the window grows to at most),
--     cost (how many requests this one counts for)
-- out: seconds to wait before asking again; 0: the place is taken
WITH moment AS (
    SELECT clock_timestamp() AS now, date_trunc('second', clock_timestamp()) AS second
), taken AS (
    SELECT coalesce(sum(r.requests), 0) AS requests, min(r.second) AS first
    FROM moment LEFT JOIN source_request r
        ON r.credential_hash = %(credential)s AND r.second BETWEEN moment.now - interval '61 seconds' AND moment.now
), verdict AS (
    SELECT l.credential_hash, moment.now, moment.second, taken.first,
           CASE WHEN l.paused_until <= moment.now + interval '1 hour'
                THEN greatest(0, extract(epoch FROM l.paused_until - moment.now)) ELSE 0 END AS pause,
           -- One that counts for more than the whole window has it for itself.
           taken.requests + %(cost)s > greatest(floor(l.per_minute), %(cost)s) AS is_full,
           l.per_minute < %(highest)s AND l.adjusted_at NOT BETWEEN moment.now - interval '2 minutes' AND moment.now
               AS may_grow
    FROM source_limit l, moment, taken WHERE l.credential_hash = %(credential)s
), grown AS (
    UPDATE source_limit l SET per_minute = least(%(highest)s, l.per_minute * 1.25), adjusted_at = verdict.now
    FROM verdict
    WHERE l.credential_hash = verdict.credential_hash AND verdict.is_full AND verdict.may_grow AND verdict.pause = 0
    RETURNING 1
), counted AS (
    INSERT INTO source_request AS r (credential_hash, second, requests)
    SELECT credential_hash, second, %(cost)s FROM verdict WHERE pause = 0 AND (NOT is_full OR may_grow)
    ON CONFLICT (credential_hash, second) DO UPDATE SET requests = r.requests + excluded.requests
    RETURNING 1
), forgotten AS (
    DELETE FROM source_request r USING verdict
    WHERE r.credential_hash = verdict.credential_hash AND r.second NOT BETWEEN verdict.now - interval '2 minutes' AND verdict.now
)
SELECT CASE
    WHEN verdict.pause > 0 THEN verdict.pause
    WHEN EXISTS (SELECT 1 FROM counted) THEN 0
    ELSE greatest(0.05, least(60, extract(epoch FROM verdict.first + interval '61 seconds' - verdict.now)))
END
FROM verdict;
