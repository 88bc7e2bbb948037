-- How well documents get the topics that they bring, of workspaces whose settings name properties that say topics. A text
-- in which a `/` stands for itself, or blanks around one, counts as brought and not as the path of a node.
-- in: nothing
-- out: workspace (slug), brought (documents that bring a path), known (of these, those whose path is a node's), assigned
--      (of these, those that have a topic), matched (of those that bring one, those with a given topic or a person's)
WITH bringing AS MATERIALIZED (
    SELECT v.workspace_id, v.version, d.document_id, bool_or(n.node_id IS NOT NULL) AS is_known
    FROM taxonomy_version v
    JOIN taxonomy_settings s USING (workspace_id)
    JOIN document_property p ON p.workspace_id = v.workspace_id AND p.name = ANY(s.topic_properties) AND p.text <> ''
    JOIN document d ON d.document_id = p.document_id AND d.deleted_at IS NULL
    LEFT JOIN taxonomy_nodes n ON n.workspace_id = v.workspace_id AND n.version = v.version
        AND n.path_key = taxonomy_path_key(string_to_array(p.text, '/'))
    WHERE v.state = 'active'
    GROUP BY v.workspace_id, v.version, d.document_id
)
SELECT w.slug AS workspace, count(*) AS brought, count(*) FILTER (WHERE b.is_known) AS known,
       count(*) FILTER (WHERE b.is_known AND (t.has_topic OR t.is_said)) AS assigned,
       count(*) FILTER (WHERE t.has_given OR t.is_said) AS matched
FROM bringing b
JOIN workspace w USING (workspace_id)
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(NOT t.hitl_required), false) AS has_topic,
           coalesce(bool_or(t.origin IN ('given', 'person')), false) AS has_given,
           EXISTS (SELECT FROM taxonomy_decision k WHERE k.doc_id = b.document_id) AS is_said
    FROM doc_taxonomy t WHERE t.doc_id = b.document_id AND t.version = b.version
) t
GROUP BY w.slug;
