-- The path of a topic in a version.
-- in: workspace_id, version, node_id
-- out: canonical_path; no row: it is not in it
SELECT canonical_path FROM taxonomy_nodes
WHERE workspace_id = %(workspace_id)s AND version = %(version)s AND node_id = %(node_id)s
