-- The chunks that a build serves, with the page that each is of.
-- in: workspace_id, build (rag_index_build_id), chunks (the table of a build), internal (false: without private notes and their files)
-- out: document_chunk_id, document_id, external_id, title, url, version, position, heading_path (JSON), token_count,
--     text, place (JSON: of a file, where in it; or NULL)
SELECT k.document_chunk_id, c.document_id::text, page.external_id, page.title, page.url, c.version, part.number - 1,
       to_json(k.heading_path)::text, k.token_count, k.chunk_content,
       nullif(s.places -> (part.number - 1)::int, 'null')::text
FROM published_document s
CROSS JOIN LATERAL unnest(s.chunk_ids) WITH ORDINALITY AS part (document_chunk_id, number)
JOIN {chunks} k USING (document_chunk_id)
JOIN document_content c ON c.document_content_id = s.document_content_id
JOIN document d ON d.document_id = s.document_id
CROSS JOIN LATERAL jsonb_to_record(c.contents) AS page(external_id text, title text, url text)
WHERE s.rag_index_build_id = %(build)s AND d.workspace_id = %(workspace_id)s AND (%(internal)s OR NOT d.is_internal)
ORDER BY k.document_chunk_id;
