-- The titles of pages, where they are theirs alone.
-- in: workspace_id, pages (external ids)
-- out: external_id, title
SELECT p.external_id, p.title
FROM source_page p
WHERE p.workspace_id = %(workspace_id)s AND p.external_id = ANY(%(pages)s::text[]) AND p.title <> ''
  AND NOT EXISTS (SELECT FROM source_page o
                  WHERE o.workspace_id = p.workspace_id AND o.title = p.title AND o.external_id <> p.external_id)
