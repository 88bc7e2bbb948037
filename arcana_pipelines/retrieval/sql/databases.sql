-- The databases whose rows have a property, where the columns of some database are not known.
-- in: workspace_id, name (of the property)
-- out: external_id of each database
SELECT DISTINCT p.parent_external_id
FROM document_property q
JOIN source_page p ON p.document_id = q.document_id
WHERE q.workspace_id = %(workspace_id)s AND q.name = %(name)s AND p.kind = 'row' AND p.parent_external_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM source_page s WHERE s.workspace_id = p.workspace_id
                  AND s.external_id = p.parent_external_id AND s.is_container AND s.properties <> '{}');
