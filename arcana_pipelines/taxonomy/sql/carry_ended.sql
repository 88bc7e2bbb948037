-- Notes the assignments that have no place in a version, each with its reason.
-- in: landed (see there), workspace_id, old, new
-- out: nothing
INSERT INTO taxonomy_ended (doc_id, node_id, version, workspace_id, from_version, path, origin, reason)
SELECT
    l.doc_id, l.from_node, %(new)s, %(workspace_id)s, %(old)s, min(l.from_path), min(l.origin),
    min(l.why) || CASE
        WHEN min(l.to_node::text) IS NULL THEN ', and nothing took its place'
        ELSE ', and a person rejected what took its place'
    END
FROM ({landed}) l GROUP BY l.doc_id, l.from_node HAVING NOT bool_or(l.is_kept OR l.is_dropped)
