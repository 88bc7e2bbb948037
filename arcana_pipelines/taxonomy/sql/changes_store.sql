-- What became of the nodes of the version before.
-- in: workspace_id, version, from_version, kinds, from_nodes, to_nodes, notes (of each change)
-- out: nothing
INSERT INTO taxonomy_change (workspace_id, version, from_version, kind, from_node, to_node, note)
SELECT %(workspace_id)s, %(version)s, %(from_version)s, c.kind, c.from_node, c.to_node, c.note
FROM unnest(%(kinds)s::text[], %(from_nodes)s::uuid[], %(to_nodes)s::uuid[], %(notes)s::text[])
    AS c (kind, from_node, to_node, note)
