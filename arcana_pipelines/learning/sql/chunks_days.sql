-- The days (UTC) whose counts may have changed since they were last made: those since the last that was counted, and those
-- of whose answers something was said since. A day of which the first answers may be forgotten already is not counted.
-- in: days (that answers are kept)
-- out: day
SELECT DISTINCT day
FROM (
    SELECT generate_series(
        coalesce((SELECT max(day) - 1 FROM chunk_analytics), (SELECT min(at AT TIME ZONE 'UTC')::date FROM search_answers)),
        (now() AT TIME ZONE 'UTC')::date, interval '1 day'
    )::date
    UNION ALL
    SELECT (f.searched_at AT TIME ZONE 'UTC')::date
    FROM search_feedback f
    WHERE f.at > (SELECT max(day) - 1 FROM chunk_analytics)
) AS changed (day)
WHERE day > (now() AT TIME ZONE 'UTC' - make_interval(days => %(days)s))::date
ORDER BY day;
