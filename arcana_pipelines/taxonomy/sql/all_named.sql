-- The topics of the active version with the labels of all that stands above them, in a language where they have one there.
-- in: workspace_id, language, most
-- out: path, labels; in the order of the tree
WITH first AS MATERIALIZED (
    SELECT n.version, n.node_id, n.parent_id, n.canonical_path, n.lft, coalesce(n.labels->>%(language)s, n.label) AS label
    FROM taxonomy_version v JOIN taxonomy_nodes n USING (workspace_id, version)
    WHERE v.workspace_id = %(workspace_id)s AND v.state = 'active'
    ORDER BY n.lft
    LIMIT %(most)s
)
SELECT f.canonical_path AS path,
       (WITH RECURSIVE above AS (
            SELECT f.parent_id, f.label, 0 AS steps
            UNION ALL
            SELECT p.parent_id, p.label, a.steps + 1 FROM above a JOIN first p ON p.node_id = a.parent_id
        )
        SELECT array_agg(label ORDER BY steps DESC) FROM above) AS labels
FROM first f
ORDER BY f.lft;
