-- Pages that a generation added, updated or could not read, the latter first.
-- in: workspace_id, generation, limit
-- out: what, title, url, note
SELECT coalesce(CASE WHEN state = 'quarantined' THEN state ELSE outcome END, state) AS what, title, url,
       coalesce(reason, '') AS note
FROM source_page
WHERE workspace_id = %(workspace_id)s AND seen_generation = %(generation)s AND NOT is_container
  AND (outcome IN ('added', 'updated') OR state = 'quarantined')
ORDER BY state = 'quarantined' DESC, last_edited_at DESC NULLS LAST, external_id
LIMIT %(limit)s;
