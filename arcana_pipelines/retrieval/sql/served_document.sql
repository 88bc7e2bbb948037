-- A document in a version of those that are asked for: all of it.
-- Taken apart once: each -> would decompress the whole text of the page.
-- in: workspace_id, document_id, versions (table), version (its number, or NULL: there is one alone)
-- out: what Document has, without its headings
SELECT w.slug AS workspace, d.document_id, page.external_id, page.kind, page.title, page.url, d.path::text AS path,
       c.version, replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at,
       s.published_at, coalesce(page.text, '') AS text, page.properties
FROM document d
JOIN workspace w USING (workspace_id)
JOIN {versions} s ON s.document_id = d.document_id
JOIN document_content c ON c.document_content_id = s.document_content_id
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, kind text, title text, url text, last_edited_at text, text text, properties jsonb)
WHERE d.workspace_id = %(workspace_id)s AND d.document_id = %(document_id)s::uuid
  AND (%(version)s::int IS NULL OR c.version = %(version)s);
