-- The chunks that a build serves, with the page that each is of.
SELECT k.document_chunk_id, c.document_id::text, page.external_id, page.title, page.url, c.version, k.position,
       to_json(k.heading_path)::text, k.token_count, k.chunk_content
FROM {chunks} k
JOIN document_content c USING (document_content_id)
JOIN document d ON d.document_id = c.document_id
CROSS JOIN LATERAL jsonb_to_record(c.contents) AS page(external_id text, title text, url text)
WHERE k.deleted_at IS NULL AND d.workspace_id = %(workspace_id)s
ORDER BY k.document_chunk_id;
