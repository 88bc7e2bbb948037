-- Notes what has taken the place of nodes of which nobody said it, before their version is released.
-- in: workspace_id, old, new, from_nodes, to_nodes, kinds, reasons (of each node that is another there)
-- out: nothing
WITH led AS (
    SELECT m.* FROM unnest(%(from_nodes)s::uuid[], %(to_nodes)s::uuid[], %(kinds)s::text[], %(reasons)s::text[])
        AS m (from_node, to_node, kind, reason)
),
told AS (
    UPDATE taxonomy_change c SET to_node = l.to_node FROM led l
    WHERE c.workspace_id = %(workspace_id)s AND c.version = %(new)s AND c.kind = 'retire' AND c.to_node IS NULL
      AND l.kind = 'retire' AND c.from_node = l.from_node AND l.to_node IS NOT NULL
)
INSERT INTO taxonomy_change (workspace_id, version, from_version, kind, from_node, to_node, note)
SELECT %(workspace_id)s, %(new)s, %(old)s, 'retire', l.from_node, l.to_node, l.reason FROM led l
WHERE l.kind = 'missing'
