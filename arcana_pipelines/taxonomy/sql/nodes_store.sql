-- Nodes of a draft. JSON, as a path is an array within a row; COPY is refused where rows have policies.
-- in: workspace_id, version, nodes (a JSON array of objects with the columns' names)
-- out: nothing
INSERT INTO taxonomy_nodes (
    node_id, version, workspace_id, parent_id, label, canonical_path, definition, synonyms, labels, external_ref,
    confidence, lft, rgt
)
SELECT
    n.node_id, %(version)s, %(workspace_id)s, n.parent_id, n.label, n.canonical_path, n.definition, n.synonyms, n.labels,
    n.external_ref, n.confidence, n.lft, n.rgt
FROM jsonb_to_recordset(%(nodes)s) AS n (
    node_id uuid, parent_id uuid, label text, canonical_path text[], definition text, synonyms text[], labels jsonb,
    external_ref text, confidence real, lft integer, rgt integer
)
