-- What files have to do with other documents: they hang on a page or lie in another file (`derived`), or have the same
-- bytes as the one whose text is searched (`duplicate`). Such a relation is the sync's, whoever made it first; what else
-- was made by hand is left alone.
-- in: workspace_id
-- out: nothing
WITH wanted AS (
    SELECT coalesce(c.document_id, p.document_id) AS base_id, f.document_id AS related_id, 'derived' AS relation_type
    FROM source_file f
    LEFT JOIN source_file c ON c.workspace_id = f.workspace_id AND c.external_id = f.container
    LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
    WHERE f.workspace_id = %(workspace_id)s AND f.state <> 'removed' AND f.document_id IS NOT NULL
      AND coalesce(c.document_id, p.document_id) IS NOT NULL
    UNION
    SELECT f.document_id, o.document_id, 'duplicate'
    FROM source_file f JOIN source_file o ON o.workspace_id = f.workspace_id AND o.external_id = f.copy_of
    WHERE f.workspace_id = %(workspace_id)s AND f.state <> 'removed'
      AND f.document_id IS NOT NULL AND o.document_id IS NOT NULL
), retired AS (
    UPDATE document_relation r SET deleted_at = now(), updated_at = now()
    FROM document d
    WHERE d.document_id = r.base_document_id AND d.workspace_id = %(workspace_id)s
      AND r.relation_type IN ('derived', 'duplicate') AND r.origin = 'source' AND r.deleted_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM wanted w
                      WHERE w.base_id = r.base_document_id AND w.related_id = r.related_document_id
                        AND w.relation_type = r.relation_type)
)
INSERT INTO document_relation (base_document_id, related_document_id, relation_type)
SELECT base_id, related_id, relation_type FROM wanted
ON CONFLICT (base_document_id, related_document_id, relation_type) WHERE deleted_at IS NULL
    DO UPDATE SET origin = 'source' WHERE document_relation.origin <> 'source';
