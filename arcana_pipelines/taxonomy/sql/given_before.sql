-- What has become of paths that the active version does not have and an older one did: the node at a path keeps its id
-- when it is renamed or moved, and a merge says what took its place. What was split, or ended, is nowhere.
-- in: workspace_id, version (the active one), paths (JSON: a list of labels for each)
-- out: position of the path (from 1), node_id in the active version
WITH RECURSIVE asked AS MATERIALIZED (
    SELECT a.position, taxonomy_path_key(ARRAY(SELECT jsonb_array_elements_text(a.path))) AS path_key
    FROM jsonb_array_elements(%(paths)s::jsonb) WITH ORDINALITY AS a(path, position)
), newest AS (
    SELECT DISTINCT ON (asked.position) asked.position, n.node_id
    FROM taxonomy_version v
    CROSS JOIN asked
    JOIN taxonomy_nodes n
        ON n.workspace_id = v.workspace_id AND n.version = v.version AND n.path_key = asked.path_key
    WHERE v.workspace_id = %(workspace_id)s AND v.state <> 'draft'
    ORDER BY asked.position, v.ordinal DESC
), followed AS (
    SELECT position, node_id FROM newest
    UNION
    SELECT f.position, c.to_node
    FROM followed f
    JOIN taxonomy_change c ON c.workspace_id = %(workspace_id)s AND c.from_node = f.node_id AND c.kind = 'merge'
    JOIN taxonomy_version v ON v.workspace_id = c.workspace_id AND v.version = c.version AND v.state <> 'draft'
)
SELECT f.position, (array_agg(n.node_id))[1]
FROM followed f
JOIN taxonomy_nodes n ON n.node_id = f.node_id AND n.version = %(version)s
GROUP BY f.position
HAVING count(*) = 1;
