-- Up to when everything that happened in the source would have been seen, and where the sweep stands.
-- in: workspace_id
-- out: the fields of Freshness
WITH listed AS (
    SELECT max(g.started_at) AS edits,
           max(g.started_at) FILTER (WHERE g.mode <> 'incremental' OR g.counters ? 'is_whole') AS absences,
           (array_agg(g.counters ? 'is_whole' ORDER BY g.generation DESC) FILTER (WHERE g.mode = 'incremental'))[1]
               AS lists_everything
    FROM sync_generation g WHERE g.workspace_id = %(workspace_id)s AND g.listing_complete
)
SELECT greatest(l.absences, s.whole_began_at, CASE WHEN l.lists_everything THEN w.unchanged_at END) AS absences_seen_to,
       greatest(l.edits, w.unchanged_at) AS edits_seen_to,
       (SELECT count(*) FROM unlisted_page u WHERE u.workspace_id = w.workspace_id AND u.sweeps >= 2) AS unlisted,
       s.began_at, coalesce(s.answers + cardinality(s.looked), 0) AS requests, s.whole_began_at, s.whole_ended_at,
       s.whole_requests, s.problem
FROM workspace w CROSS JOIN listed l LEFT JOIN source_sweep s USING (workspace_id)
WHERE w.workspace_id = %(workspace_id)s
