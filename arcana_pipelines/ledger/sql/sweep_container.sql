-- The next container whose rows are to be listed: search shows most rows, so only one of which it has shown so little that
-- a listing of a hundred rows a request costs less than looks at those that are missing. Behind `unseen`
-- (sweep_unseen.sql).
-- in: workspace_id, after (its id is behind this one; NULL: any)
-- out: its id; no row: there is none
SELECT u.parent_external_id
FROM unseen u
WHERE u.kind = 'row' AND u.parent_external_id > coalesce(%(after)s, '')
GROUP BY u.parent_external_id
HAVING count(*) > (SELECT ceil(count(*) / 100.0) FROM source_page held
                   WHERE held.workspace_id = %(workspace_id)s AND held.parent_external_id = u.parent_external_id
                     AND held.state <> 'tombstoned')
ORDER BY u.parent_external_id
LIMIT 1
