-- Count anew, for each of some days (UTC), how often chunks were shown, and what readers said of them.
-- in: days
-- out: nothing
INSERT INTO chunk_analytics
    (company_id, workspace_id, index_name, day, document_id, position, shown, opened, used, helpful, unhelpful)
SELECT c.company_id, c.workspace_id, c.index_name, c.day, c.document_id, c.position, sum(c.shown),
       count(*) FILTER (WHERE c.verdict = 'opened'), count(*) FILTER (WHERE c.verdict = 'used'),
       count(*) FILTER (WHERE c.verdict = 'helpful'), count(*) FILTER (WHERE c.verdict = 'unhelpful')
FROM (
    SELECT a.company_id, a.workspace_id, a.index_name, (a.at AT TIME ZONE 'UTC')::date AS day, s.document_id,
           s.position, count(*) AS shown, NULL AS verdict
    FROM search_answers a
    CROSS JOIN LATERAL unnest(a.document_ids, a.positions) AS s (document_id, position)
    WHERE (a.at AT TIME ZONE 'UTC')::date = ANY (%(days)s::date[])
      AND a.at >= (SELECT min(day) FROM unnest(%(days)s::date[]) day)::timestamp AT TIME ZONE 'UTC'
    GROUP BY 1, 2, 3, 4, 5, 6
    UNION ALL
    SELECT f.company_id, f.workspace_id, f.index_name, (f.searched_at AT TIME ZONE 'UTC')::date, f.document_id,
           f.position, 0, f.verdict
    FROM search_feedback f
    WHERE (f.searched_at AT TIME ZONE 'UTC')::date = ANY (%(days)s::date[]) AND f.document_id IS NOT NULL
) c
GROUP BY 1, 2, 3, 4, 5, 6
HAVING sum(c.shown) > 0;
