-- A document in a version of those that are asked for: all of it.
-- Taken apart once: each -> would decompress the whole text of the page.
-- A file that equals another has the text of that one: its newest, of an old version that of its time.
-- in: workspace_id, document_id, versions (table), version (its number, or NULL: there is one alone)
-- out: what Document has, without its headings; of a file also external_id, title and url of its page
SELECT w.slug AS workspace, d.document_id, page.external_id, page.kind, page.title, page.url, d.path::text AS path,
       c.version, replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at,
       s.published_at, coalesce(nullif(page.text, ''), equal.text, '') AS text, page.properties, page.file,
       p.external_id AS page_external_id, p.title AS page_title, p.url AS page_url
FROM document d
JOIN workspace w USING (workspace_id)
JOIN {versions} s ON s.document_id = d.document_id
JOIN document_content c ON c.document_content_id = s.document_content_id
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, kind text, title text, url text, last_edited_at text, text text, properties jsonb,
            file jsonb, copy_of uuid)
LEFT JOIN LATERAL (
    SELECT o.contents->>'text' AS text
    FROM document_content o JOIN document same USING (document_id)
    WHERE page.copy_of IS NOT NULL AND o.document_id = page.copy_of AND same.workspace_id = d.workspace_id
    ORDER BY c.document_content_id = d.latest_content_id AND o.document_content_id = same.latest_content_id DESC,
             o.created_at <= c.created_at DESC,
             CASE WHEN o.created_at <= c.created_at THEN -o.version ELSE o.version END
    LIMIT 1
) equal ON true
LEFT JOIN source_file f ON d.kind = 'file' AND f.workspace_id = d.workspace_id AND f.document_id = d.document_id
LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
WHERE d.workspace_id = %(workspace_id)s AND d.document_id = %(document_id)s::uuid
  AND (%(version)s::int IS NULL OR c.version = %(version)s);
