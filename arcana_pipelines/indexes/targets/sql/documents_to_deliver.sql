-- Published documents as a target gets them.
-- in: build (rag_index_build_id), documents (ids), with_text
-- out: the fields of Document
SELECT d.document_id, page.external_id, coalesce(page.kind, 'page') AS kind, coalesce(page.title, '') AS title,
       coalesce(page.url, '') AS url, d.path::text AS path,
       c.version, p.published_at, p.chunk_ids, replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at,
       CASE WHEN %(with_text)s THEN coalesce(page.text, '') END AS text,
       CASE WHEN %(with_text)s THEN coalesce(page.properties, '{}') END AS properties
FROM published_document p
JOIN document d USING (document_id)
JOIN document_content c ON c.document_content_id = p.document_content_id
CROSS JOIN LATERAL jsonb_to_record(c.contents) AS page(
    external_id text, kind text, title text, url text, last_edited_at text, text text, properties jsonb)
WHERE p.rag_index_build_id = %(build)s AND p.document_id = ANY(%(documents)s::uuid[]);
