-- Pages whose body or metadata is newer than their content, in key order.
SELECT external_id, kind, title, url, properties, body, body_links, partial, last_edited_at, content_hash
FROM source_page
WHERE workspace_id = %(workspace_id)s AND state = 'fetched' AND external_id > %(after)s
ORDER BY external_id
LIMIT %(limit)s;
