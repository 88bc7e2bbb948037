-- What readers of a workspace may know of it.
-- in: workspace_id
-- out: the fields of _Row in served_status.py
SELECT w.slug AS workspace, w.name, w.status,
       -- As freshness.sql has it.
       greatest(CASE WHEN w.unchanged_at <= now() THEN w.unchanged_at END,
                (SELECT g.started_at FROM sync_generation g WHERE g.workspace_id = w.workspace_id AND g.listing_complete
                 ORDER BY g.generation DESC LIMIT 1)) AS edits_seen_to,
       page.pending, page.skipped, page.quarantined, page.suspect
FROM workspace w
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'pending') AS pending,
           count(*) FILTER (WHERE state = 'skipped') AS skipped,
           count(*) FILTER (WHERE state = 'quarantined') AS quarantined,
           count(*) FILTER (WHERE state = 'suspect') AS suspect
    FROM source_page p
    WHERE p.workspace_id = w.workspace_id AND NOT p.is_container AND p.state NOT IN ('unchanged', 'tombstoned')
) page
WHERE w.workspace_id = %(workspace_id)s;
