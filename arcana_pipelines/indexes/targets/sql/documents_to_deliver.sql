-- Published documents as a target gets them.
-- in: build (rag_index_build_id), documents (ids), with_text
-- out: the fields of Document
SELECT d.document_id, page.external_id, coalesce(page.kind, 'page') AS kind, coalesce(page.title, '') AS title,
       coalesce(page.url, '') AS url, d.path::text AS path,
       c.version, p.published_at, p.chunk_ids, replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at,
       CASE WHEN %(with_text)s THEN coalesce(page.text, '') END AS text,
       CASE WHEN %(with_text)s THEN coalesce(page.properties, '{}') END AS properties,
       CASE WHEN %(with_text)s AND d.kind = 'file' THEN
           jsonb_build_object('name', page.title, 'mime_type', page.file->>'mime_type', 'places', p.places,
                              'copy_of', page.copy_of, 'page_external_id', holding.external_id,
                              'page_title', holding.title, 'page_url', holding.url)
       END AS file
FROM published_document p
JOIN document d USING (document_id)
JOIN document_content c ON c.document_content_id = p.document_content_id
CROSS JOIN LATERAL jsonb_to_record(c.contents) AS page(
    external_id text, kind text, title text, url text, last_edited_at text, text text, properties jsonb,
    file jsonb, copy_of uuid)
LEFT JOIN source_file f ON d.kind = 'file' AND f.workspace_id = d.workspace_id AND f.document_id = d.document_id
LEFT JOIN source_page holding ON holding.workspace_id = f.workspace_id AND holding.external_id = f.page_external_id
WHERE p.rag_index_build_id = %(build)s AND p.document_id = ANY(%(documents)s::uuid[]);
