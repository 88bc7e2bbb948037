-- The texts of rows name their database: where a listing gives it another title, process the bodies held again.
-- in: workspace_id, databases (JSON: the external_id and title of each that was listed)
-- out: nothing
UPDATE source_page p SET state = 'fetched'
FROM json_to_recordset(%(databases)s::json) AS listed(external_id text, title text)
LEFT JOIN source_page held ON held.workspace_id = %(workspace_id)s AND held.external_id = listed.external_id
WHERE held.title IS DISTINCT FROM listed.title
  AND p.workspace_id = %(workspace_id)s AND p.parent_external_id = listed.external_id
  AND p.kind = 'row' AND p.state = 'unchanged';
