-- Pages whose body or metadata is newer than their content, in key order.
-- `database` is the title of a row's database.
-- in: workspace_id, after (external_id), limit
-- out: the fields of ReadPage
SELECT p.external_id, p.kind, p.title, p.url, p.properties, p.body, p.body_links, p.partial, p.last_edited_at,
       p.editor_id, p.editor_name, w.platform,
       CASE WHEN p.kind = 'row' THEN parent.title END AS database
FROM source_page p
JOIN workspace w USING (workspace_id)
LEFT JOIN source_page parent ON parent.workspace_id = p.workspace_id AND parent.external_id = p.parent_external_id
WHERE p.workspace_id = %(workspace_id)s AND p.state = 'fetched' AND p.external_id > %(after)s
ORDER BY p.external_id
LIMIT %(limit)s;
