-- The topics of a workspace's rules in a version. A topic that is not there any more, and that one other took the place of, is
-- that one: changes are followed through the versions that this one was made from, so that a rollback leads back, too.
-- in: workspace_id, version (NULL: none is active)
-- out: rule_id, name, node_id, path (both NULL: the version does not have it, and the rule rests), was (the path of
--      its topic in the newest released version that has it), in the rules' order
WITH RECURSIVE lineage AS (
    SELECT v.version, v.based_on FROM taxonomy_version v
    WHERE v.workspace_id = %(workspace_id)s AND v.version = %(version)s
    UNION
    SELECT v.version, v.based_on FROM lineage l
    JOIN taxonomy_version v ON v.workspace_id = %(workspace_id)s AND v.version = l.based_on
), became AS (
    SELECT r.rule_id, r.node_id FROM taxonomy_rule r WHERE r.workspace_id = %(workspace_id)s
    UNION
    SELECT b.rule_id, successor.node_id
    FROM became b
    CROSS JOIN LATERAL (
        SELECT (array_agg(c.to_node))[1] AS node_id
        FROM taxonomy_change c
        WHERE c.workspace_id = %(workspace_id)s AND c.version IN (SELECT l.version FROM lineage l)
          AND c.from_node = b.node_id AND c.kind IN ('merge', 'split', 'retire')
        GROUP BY c.version HAVING count(*) = 1 AND count(c.to_node) = 1
    ) successor
    WHERE NOT EXISTS (SELECT FROM taxonomy_nodes n WHERE n.node_id = b.node_id AND n.version = %(version)s)
)
SELECT r.rule_id, r.name, found.node_id, found.canonical_path AS path,
       (SELECT n.canonical_path FROM taxonomy_nodes n JOIN taxonomy_version v USING (workspace_id, version)
        WHERE n.node_id = r.node_id AND n.workspace_id = r.workspace_id AND v.state <> 'draft'
        ORDER BY v.ordinal DESC LIMIT 1) AS was
FROM taxonomy_rule r
LEFT JOIN LATERAL (
    SELECT n.node_id, n.canonical_path
    FROM became b
    JOIN taxonomy_nodes n ON n.node_id = b.node_id AND n.version = %(version)s AND n.workspace_id = %(workspace_id)s
    WHERE b.rule_id = r.rule_id
    ORDER BY n.lft LIMIT 1
) found ON true
WHERE r.workspace_id = %(workspace_id)s
ORDER BY r.position, r.name
