-- The version from which on a path is not a topic's any more.
-- in: workspace_id, path (labels)
-- out: version; no row: no version had the path, or the newest one has it
WITH asked AS MATERIALIZED (
    SELECT taxonomy_path_key(%(path)s::text[]) AS path_key
), last AS (
    SELECT max(v.ordinal) AS ordinal
    FROM taxonomy_version v JOIN taxonomy_nodes n USING (workspace_id, version)
    WHERE v.workspace_id = %(workspace_id)s AND v.state <> 'draft' AND n.path_key = (SELECT path_key FROM asked)
)
SELECT v.version
FROM taxonomy_version v JOIN last ON v.ordinal > last.ordinal
WHERE v.workspace_id = %(workspace_id)s AND v.state <> 'draft'
ORDER BY v.ordinal
LIMIT 1;
