-- Make the references between documents what the pages' links say: add the missing, retire the rest.
-- in: workspace_id
-- out: nothing
WITH wanted AS (
    SELECT DISTINCT base.document_id AS base_id, related.document_id AS related_id
    FROM source_page base
    CROSS JOIN LATERAL unnest(base.links) AS link(external_id)
    JOIN source_page related
        ON related.workspace_id = base.workspace_id AND related.external_id = link.external_id
    WHERE base.workspace_id = %(workspace_id)s
      AND base.state <> 'tombstoned' AND related.state <> 'tombstoned'
      AND base.document_id <> related.document_id
), retired AS (
    UPDATE document_relation r SET deleted_at = now(), updated_at = now()
    FROM document d
    WHERE d.document_id = r.base_document_id AND d.workspace_id = %(workspace_id)s
      AND r.relation_type = 'reference' AND r.origin = 'source' AND r.deleted_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM wanted w
                      WHERE w.base_id = r.base_document_id AND w.related_id = r.related_document_id)
)
INSERT INTO document_relation (base_document_id, related_document_id, relation_type)
SELECT base_id, related_id, 'reference' FROM wanted
ON CONFLICT (base_document_id, related_document_id, relation_type) WHERE deleted_at IS NULL DO NOTHING;
