-- What is not served as the source has it, grouped by the same error (ids and times in it do not count).
-- in: workspace_id
-- out: the fields of NotIndexed
WITH page AS (
    SELECT state, external_id, title,
           regexp_replace(coalesce(reason, ''), '[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}',
                          '…', 'g') AS reason
    FROM source_page
    WHERE workspace_id = %(workspace_id)s AND NOT is_container
      AND state IN ('pending', 'skipped', 'quarantined', 'suspect')
)
SELECT state, reason, count(*) AS pages,
       (array_agg(jsonb_build_object('external_id', external_id, 'title', title) ORDER BY external_id))[1:5] AS examples
FROM page
GROUP BY state, reason
ORDER BY count(*) DESC, state, reason;
