-- How many nodes of a version are the same as in the one that it is based on, and what became of the others.
-- in: workspace_id, version
-- out: one row: same, added, renamed, moved, merged, split, retired
SELECT
    v.nodes - count(DISTINCT c.to_node) FILTER (WHERE c.kind IN ('add', 'rename', 'move')) AS same,
    count(*) FILTER (WHERE c.kind = 'add') AS added,
    count(*) FILTER (WHERE c.kind = 'rename') AS renamed,
    count(*) FILTER (WHERE c.kind = 'move') AS moved,
    count(*) FILTER (WHERE c.kind = 'merge') AS merged,
    count(DISTINCT c.from_node) FILTER (WHERE c.kind = 'split') AS split,
    count(*) FILTER (WHERE c.kind = 'retire') AS retired
FROM taxonomy_version v LEFT JOIN taxonomy_change c USING (workspace_id, version)
WHERE v.workspace_id = %(workspace_id)s AND v.version = %(version)s
GROUP BY v.nodes
