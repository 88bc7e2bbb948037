-- Files whose version is not made of what is known of them now.
-- in: workspace_id, after (external_id), limit, form (of versions: another number makes all anew)
-- out: the fields of ReadFile
SELECT f.external_id, f.name, f.caption, f.origin, f.state, f.reason, s.mime_type, s.size,
       encode(f.sha256, 'hex') AS sha256, page.url, page.title AS page_title, page.last_edited_at, page.editor_name,
       CASE WHEN f.state = 'parsed' AND f.copy_of IS NULL THEN r.text ELSE '' END AS text,
       CASE WHEN f.state = 'parsed' AND f.copy_of IS NULL THEN r.places ELSE '[]' END AS places,
       r.title AS own_title, coalesce(r.notes, '[]') AS notes, copied.document_id AS copy_of, made.of AS made_of
FROM source_file f
LEFT JOIN source_page page ON page.workspace_id = f.workspace_id AND page.external_id = f.page_external_id
LEFT JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256
LEFT JOIN parsed_file r ON r.workspace_id = f.workspace_id AND r.sha256 = f.sha256 AND r.parser = f.parser
LEFT JOIN source_file copied ON copied.workspace_id = f.workspace_id AND copied.external_id = f.copy_of
CROSS JOIN LATERAL (
    SELECT md5(concat_ws(chr(31), %(form)s::text, f.state, f.name, f.caption, encode(f.sha256, 'hex'), f.parser,
                         r.parsed_at::text, f.reason, f.copy_of, page.url)) AS of
) made
WHERE f.workspace_id = %(workspace_id)s AND f.document_id IS NOT NULL AND f.state IN ('parsed', 'skipped')
  AND f.external_id > %(after)s AND f.made_of IS DISTINCT FROM made.of
ORDER BY f.external_id
LIMIT %(limit)s;
