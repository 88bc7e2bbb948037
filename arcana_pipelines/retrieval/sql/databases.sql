-- Which documents could have a property because others of theirs have it: the rows of a database whose columns are not
-- known, and what stands in no database (tickets, say), each kind by itself.
-- in: workspace_id, name (of the property), kinds (those that have properties, rows apart)
-- out: external_id of the database (NULL: it is a kind), kind
SELECT DISTINCT CASE p.kind WHEN 'row' THEN p.parent_external_id END AS parent_external_id, p.kind
FROM document_property q
JOIN source_page p ON p.document_id = q.document_id
WHERE q.workspace_id = %(workspace_id)s AND q.name = %(name)s
  AND (p.kind = ANY(%(kinds)s::text[])
       OR p.kind = 'row' AND p.parent_external_id IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM source_page s WHERE s.workspace_id = p.workspace_id
                          AND s.external_id = p.parent_external_id AND s.is_container AND s.properties <> '{}'));
