-- Take back how two documents were related by hand.
-- in: workspace_id, base_id, related_id, relation_type (or NULL: all of them)
-- out: relation_type
UPDATE document_relation r SET deleted_at = now(), updated_at = now()
FROM document d
WHERE d.document_id = r.base_document_id AND d.workspace_id = %(workspace_id)s
  AND r.base_document_id = %(base_id)s AND r.related_document_id = %(related_id)s
  AND r.relation_type = coalesce(%(relation_type)s, r.relation_type)
  AND r.origin = 'hand' AND r.deleted_at IS NULL
RETURNING r.relation_type;
