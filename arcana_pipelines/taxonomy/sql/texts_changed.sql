-- Nodes of two versions whose definition, synonyms or names in other languages are not the same, or are gone.
-- in: workspace_id, old, new (versions)
-- out: node_id, path (in the new version), lost, changed (of definition, synonyms, names), in the order of the tree
SELECT node_id, path,
       array_remove(ARRAY[
           CASE WHEN before_definition IS NOT NULL AND definition IS NULL THEN 'definition' END,
           CASE WHEN before_synonyms <> '{}' AND synonyms = '{}' THEN 'synonyms' END,
           CASE WHEN before_labels <> '{}' AND NOT labels ?& ARRAY(SELECT jsonb_object_keys(before_labels)) THEN 'names' END
       ], NULL) AS lost,
       array_remove(ARRAY[
           CASE WHEN definition <> before_definition OR before_definition IS NULL AND definition IS NOT NULL
                THEN 'definition' END,
           CASE WHEN synonyms <> '{}' AND NOT (synonyms <@ before_synonyms AND before_synonyms <@ synonyms)
                THEN 'synonyms' END,
           CASE WHEN labels <> before_labels AND labels ?& ARRAY(SELECT jsonb_object_keys(before_labels)) THEN 'names' END
       ], NULL) AS changed
FROM (
    SELECT n.node_id, n.canonical_path AS path, n.lft, n.definition, n.synonyms, n.labels,
           o.definition AS before_definition, o.synonyms AS before_synonyms, o.labels AS before_labels
    FROM taxonomy_nodes n
    JOIN taxonomy_nodes o ON o.workspace_id = n.workspace_id AND o.node_id = n.node_id AND o.version = %(old)s
    WHERE n.workspace_id = %(workspace_id)s AND n.version = %(new)s
      AND (n.definition, n.synonyms, n.labels) IS DISTINCT FROM (o.definition, o.synonyms, o.labels)
) other
WHERE definition IS DISTINCT FROM before_definition OR labels <> before_labels
   OR NOT (synonyms <@ before_synonyms AND before_synonyms <@ synonyms)
ORDER BY lft;
