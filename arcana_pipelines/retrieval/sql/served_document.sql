-- A document as a build serves it, by its id or its page's.
-- Taken apart once: each -> would decompress the whole text of the page.
-- in: workspace_id, build (rag_index_build_id), document_id, external_id (one of both is NULL)
-- out: what Document has, without its headings
SELECT w.slug AS workspace, d.document_id, page.external_id, page.kind, page.title, page.url, d.path::text AS path,
       c.version, page.last_edited_at, s.published_at, coalesce(page.text, '') AS text, page.properties
FROM document d
JOIN workspace w USING (workspace_id)
JOIN published_document s ON s.document_id = d.document_id AND s.rag_index_build_id = %(build)s
JOIN document_content c ON c.document_content_id = s.document_content_id
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, kind text, title text, url text, last_edited_at text, text text, properties jsonb)
WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL
  AND (d.document_id = %(document_id)s::uuid
       OR d.document_id = (SELECT p.document_id FROM source_page p
                           WHERE p.workspace_id = %(workspace_id)s AND p.external_id = %(external_id)s::text));
