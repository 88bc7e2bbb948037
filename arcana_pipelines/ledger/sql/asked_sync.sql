-- A sync of a workspace with this number, and where there is none (yet) what was asked for.
-- in: workspace_id, number
-- out: the fields of _Row in asked.py
SELECT w.slug, w.generation AS newest, w.sync_asked_at AS asked_at, now() - w.sync_asked_at AS waited,
       g.mode, g.started_at, g.finished_at, g.listing_complete, g.problems, g.counters
FROM workspace w
LEFT JOIN sync_generation g ON g.workspace_id = w.workspace_id AND g.generation = %(number)s
WHERE w.workspace_id = %(workspace_id)s;
