-- The parents of pages, as direct looks have told them.
-- in: workspace_id, ids, kinds (of the same length), parents (likewise; NULL: not known)
-- out: nothing
UPDATE source_page p SET parent_kind = looks.kind, parent_external_id = looks.parent
FROM unnest(%(ids)s::text[], %(kinds)s::text[], %(parents)s::text[]) AS looks (external_id, kind, parent)
WHERE p.workspace_id = %(workspace_id)s AND p.external_id = looks.external_id
  AND (p.parent_kind, p.parent_external_id) IS DISTINCT FROM (looks.kind, looks.parent);
