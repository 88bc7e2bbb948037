-- What a comparison found.
-- in: nothing
-- out: published, missing, extra, different (rows)
SELECT count(*) FILTER (WHERE wrong IS DISTINCT FROM 'extra') AS published,
       count(*) FILTER (WHERE wrong = 'missing') AS missing,
       count(*) FILTER (WHERE wrong = 'extra') AS extra,
       count(*) FILTER (WHERE wrong = 'different') AS different
FROM compared;
