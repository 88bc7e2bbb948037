-- Make the relations between documents what the properties say that the workspace's settings name: a row's property points
-- to other pages, which are its translation, its summary … What somebody made by hand is left alone.
-- in: workspace_id
-- out: nothing
WITH named AS (
    SELECT chosen.key AS name, chosen.value AS relation_type
    FROM workspace w
    CROSS JOIN LATERAL jsonb_each_text(coalesce(w.source_config->'relation_properties', '{}')) chosen
    WHERE w.workspace_id = %(workspace_id)s
), wanted AS (
    SELECT DISTINCT base.document_id AS base_id, related.document_id AS related_id, named.relation_type
    FROM named
    JOIN source_page base ON base.workspace_id = %(workspace_id)s AND base.properties ? named.name
    CROSS JOIN LATERAL (SELECT base.properties->named.name AS held OFFSET 0) property
    CROSS JOIN LATERAL jsonb_array_elements_text(
        CASE WHEN property.held->>'type' = 'relation' AND jsonb_typeof(property.held->'value') = 'array'
             THEN property.held->'value' ELSE '[]' END) target(external_id)
    JOIN source_page related
        ON related.workspace_id = base.workspace_id AND related.external_id = target.external_id
    WHERE NOT base.is_container AND base.state <> 'tombstoned' AND related.state <> 'tombstoned'
      AND base.document_id <> related.document_id
), retired AS (
    UPDATE document_relation r SET deleted_at = now(), updated_at = now()
    FROM document d
    WHERE d.document_id = r.base_document_id AND d.workspace_id = %(workspace_id)s
      AND r.origin = 'property' AND r.deleted_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM wanted w
                      WHERE w.base_id = r.base_document_id AND w.related_id = r.related_document_id
                        AND w.relation_type = r.relation_type)
)
INSERT INTO document_relation (base_document_id, related_document_id, relation_type, origin)
SELECT base_id, related_id, relation_type, 'property' FROM wanted
ON CONFLICT (base_document_id, related_document_id, relation_type) WHERE deleted_at IS NULL DO NOTHING;
