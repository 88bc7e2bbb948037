-- Write how something was, if that is news: another state than before, a minute later at least, or an hour has passed.
-- in: reporter, component, state, detail, milliseconds, at
-- out: nothing
INSERT INTO system_health (at, reporter, component, state, milliseconds, detail)
SELECT %(at)s, %(reporter)s, %(component)s, %(state)s, %(milliseconds)s, %(detail)s
WHERE NOT EXISTS (
    SELECT FROM (
        SELECT state, at FROM system_health
        WHERE reporter = %(reporter)s AND component = %(component)s
        ORDER BY at DESC
        LIMIT 1
    ) AS last
    WHERE last.at > %(at)s::timestamptz - interval '1 minute'
       OR last.state = %(state)s AND last.at > %(at)s::timestamptz - interval '1 hour'
);
