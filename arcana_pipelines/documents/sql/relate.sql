-- Relate two documents by hand. What a sync has found so already becomes one by hand, and stays when the source loses it;
-- not that of a file and its page, or of equal files: those say where a text may be found.
-- in: workspace_id, base_id, related_id, relation_type
-- out: whether both documents are there, whether that is new
WITH pair AS (
    SELECT base.document_id AS base_id, related.document_id AS related_id
    FROM document base JOIN document related USING (workspace_id)
    WHERE workspace_id = %(workspace_id)s AND base.document_id = %(base_id)s AND related.document_id = %(related_id)s
      AND base.deleted_at IS NULL AND related.deleted_at IS NULL
), made AS (
    INSERT INTO document_relation AS held (base_document_id, related_document_id, relation_type, origin)
    SELECT base_id, related_id, %(relation_type)s, 'hand' FROM pair
    ON CONFLICT (base_document_id, related_document_id, relation_type) WHERE deleted_at IS NULL
        DO UPDATE SET origin = 'hand', updated_at = now()
        WHERE held.origin = 'property' OR held.origin = 'source' AND held.relation_type = 'reference'
    RETURNING 1
)
SELECT EXISTS (SELECT FROM pair), EXISTS (SELECT FROM made);
