-- What became of every page of one generation. `read` ones are not processed yet.
-- in: workspace_id, generation
-- out: the fields of PageCounts, in pages
SELECT count(*) AS enumerated,
       count(*) FILTER (WHERE state = 'unchanged' AND outcome = 'added') AS added,
       count(*) FILTER (WHERE state = 'unchanged' AND outcome = 'updated') AS updated,
       count(*) FILTER (WHERE state = 'unchanged' AND coalesce(outcome, 'unchanged') = 'unchanged') AS unchanged,
       count(*) FILTER (WHERE state = 'fetched') AS read,
       count(*) FILTER (WHERE state = 'skipped') AS skipped,
       count(*) FILTER (WHERE state = 'quarantined') AS quarantined,
       count(*) FILTER (WHERE state = 'pending') AS pending
FROM source_page
WHERE workspace_id = %(workspace_id)s AND seen_generation = %(generation)s AND NOT is_container;
