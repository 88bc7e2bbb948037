-- Up to when everything that happened in the source would have been seen, and where the sweep stands.
-- Where the clock was set back, the newest listing is the last one, and none before it reaches further; what lies ahead was
-- noted before.
-- in: workspace_id
-- out: the fields of Freshness
WITH listed AS (
    SELECT g.generation, g.started_at, g.mode, g.counters ? 'is_whole' AS is_whole
    FROM sync_generation g WHERE g.workspace_id = %(workspace_id)s AND g.listing_complete
), last AS (
    SELECT (array_agg(started_at ORDER BY generation DESC))[1] AS edits,
           max(generation) FILTER (WHERE mode <> 'incremental' OR is_whole) AS whole,
           (array_agg(is_whole ORDER BY generation DESC) FILTER (WHERE mode = 'incremental'))[1] AS lists_everything
    FROM listed
)
SELECT greatest((SELECT min(started_at) FROM listed WHERE generation >= l.whole),
                CASE WHEN s.whole_began_at <= now() THEN s.whole_began_at END,
                CASE WHEN l.lists_everything AND w.unchanged_at <= now() THEN w.unchanged_at END) AS absences_seen_to,
       greatest(l.edits, CASE WHEN w.unchanged_at <= now() THEN w.unchanged_at END) AS edits_seen_to,
       (SELECT count(*) FROM unlisted_page u WHERE u.workspace_id = w.workspace_id AND u.sweeps >= 2) AS unlisted,
       s.began_at, coalesce(s.answers + cardinality(s.looked), 0) AS requests, s.whole_began_at, s.whole_ended_at,
       s.whole_requests, s.problem
FROM workspace w CROSS JOIN last l LEFT JOIN source_sweep s USING (workspace_id)
WHERE w.workspace_id = %(workspace_id)s
