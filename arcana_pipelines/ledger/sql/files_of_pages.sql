-- The files that pages had, whatever became of them; none that was added by hand or lies in another file.
-- in: workspace_id, pages (external ids)
-- out: page_external_id, external_id, file_id, name, origin, position, is_there
SELECT page_external_id, external_id, file_id, name, origin, position, state <> 'removed' AS is_there
FROM source_file
WHERE workspace_id = %(workspace_id)s AND page_external_id = ANY(%(pages)s)
  AND origin <> 'added' AND container IS NULL
ORDER BY page_external_id, position, external_id;
