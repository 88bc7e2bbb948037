-- Those of the named pages and files that are documents of the workspace now, and what those say of which something is quoted.
-- in: workspace_id, pages (ids, of files also `<page id>/<name>`), quoted (likewise)
-- out: external_id (as it was named), text (title, properties and body)
SELECT n.named AS external_id, CASE WHEN n.named = ANY(%(quoted)s) THEN
    concat_ws(E'\n', c.contents->>'title',
              (SELECT string_agg(concat_ws(': ', name, held->>'text'), E'\n')
               FROM jsonb_each(c.contents->'properties') AS properties(name, held)),
              c.contents->>'text')
    ELSE '' END AS text
FROM (
    SELECT external_id AS named, document_id FROM source_page
    WHERE workspace_id = %(workspace_id)s AND external_id = ANY(%(pages)s)
    UNION ALL
    SELECT DISTINCT ON (spelled.named) spelled.named, f.document_id
    FROM source_file f
    CROSS JOIN LATERAL (VALUES (f.external_id), (f.page_external_id || '/' || f.name)) AS spelled(named)
    WHERE f.workspace_id = %(workspace_id)s AND spelled.named = ANY(%(pages)s) AND f.state <> 'removed'
) n
JOIN document d USING (document_id)
JOIN document_content c ON c.document_content_id = d.latest_content_id
WHERE d.deleted_at IS NULL;
