-- A draft's row: a new one behind all versions that there are, or that of a draft which is imported again.
-- in: workspace_id, version, based_on, source, note, nodes
-- out: one row: version; none where the version is no draft
INSERT INTO taxonomy_version AS held (workspace_id, version, ordinal, based_on, source, note, nodes)
SELECT %(workspace_id)s, %(version)s, 1 + coalesce(max(v.ordinal), 0), %(based_on)s, %(source)s, %(note)s, %(nodes)s
FROM taxonomy_version v WHERE v.workspace_id = %(workspace_id)s
ON CONFLICT (workspace_id, version) DO UPDATE SET
    based_on = excluded.based_on, source = excluded.source, note = excluded.note, nodes = excluded.nodes,
    created_at = now()
WHERE held.state = 'draft'
RETURNING version
