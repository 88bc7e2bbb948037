-- What a workspace says of the topics that come with its documents.
-- in: workspace_id, version (the active one)
-- out: topic_properties, default_node (NULL: there is none, or it is not in this version)
SELECT s.topic_properties, n.node_id
FROM taxonomy_settings s
LEFT JOIN taxonomy_nodes n ON n.node_id = s.default_node AND n.version = %(version)s
                          AND n.workspace_id = s.workspace_id
WHERE s.workspace_id = %(workspace_id)s;
