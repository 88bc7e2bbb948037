-- When a version that was active stopped being so.
-- in: workspace_id, version
-- out: one row: a time; NULL: it was never active, or no other was after it
SELECT min(moment.at) FROM taxonomy_version v
JOIN taxonomy_version other ON other.workspace_id = v.workspace_id AND other.version <> v.version
CROSS JOIN LATERAL unnest(ARRAY[other.released_at, other.activated_at]) AS moment (at)
WHERE v.workspace_id = %(workspace_id)s AND v.version = %(version)s AND moment.at > v.activated_at
