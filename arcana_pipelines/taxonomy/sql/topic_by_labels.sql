-- The topics of a version whose path has these labels, each a topic's own one or that in some language.
-- in: workspace_id, version, path (labels)
-- out: node_id, path, lft, rgt, in the order of the tree
WITH RECURSIVE way AS (
    SELECT n.node_id, 1 AS level
    FROM taxonomy_nodes n
    WHERE n.workspace_id = %(workspace_id)s AND n.version = %(version)s AND n.parent_id IS NULL
      AND ((%(path)s::text[])[1] = n.label
           OR EXISTS (SELECT FROM jsonb_each_text(n.labels) named WHERE named.value = (%(path)s::text[])[1]))
    UNION ALL
    SELECT n.node_id, w.level + 1
    FROM way w
    JOIN taxonomy_nodes n ON n.parent_id = w.node_id AND n.version = %(version)s AND n.workspace_id = %(workspace_id)s
    WHERE w.level < cardinality(%(path)s::text[])
      AND ((%(path)s::text[])[w.level + 1] = n.label
           OR EXISTS (SELECT FROM jsonb_each_text(n.labels) named WHERE named.value = (%(path)s::text[])[w.level + 1]))
)
SELECT n.node_id, n.canonical_path AS path, n.lft, n.rgt
FROM way w
JOIN taxonomy_nodes n ON n.node_id = w.node_id AND n.version = %(version)s AND n.workspace_id = %(workspace_id)s
WHERE w.level = cardinality(%(path)s::text[])
ORDER BY n.lft;
