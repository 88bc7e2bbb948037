-- The documents that a build serves, each in the version that it serves.
-- Taken apart once: each -> would decompress the whole text of the page.
-- in: workspace_id, build (rag_index_build_id), internal (false: without private notes and their files)
-- out: document_id, external_id, kind, title, url, path, version, last_edited_at, user_id, edited_by, published_at,
--      text; of a file its type, the id of its page and the document with its text (NULL: it has it)
SELECT d.document_id::text, page.external_id, page.kind, page.title, page.url, d.path::text, c.version,
       page.last_edited_at, c.user_id::text, page.edited_by, p.published_at, page.text,
       page.file->>'mime_type', f.page_external_id, page.copy_of
FROM published_document p
JOIN document_content c USING (document_content_id)
JOIN document d ON d.document_id = p.document_id
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, kind text, title text, url text, last_edited_at text, edited_by text, text text,
            file jsonb, copy_of text)
LEFT JOIN source_file f ON d.kind = 'file' AND f.workspace_id = d.workspace_id AND f.document_id = d.document_id
WHERE p.rag_index_build_id = %(build)s AND d.workspace_id = %(workspace_id)s AND (%(internal)s OR NOT d.is_internal)
ORDER BY d.document_id;
