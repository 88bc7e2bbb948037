-- What a reader needs to know of the chosen chunks. Title, address and text are of one version.
SELECT k.document_chunk_id, c.document_id, c.contents->>'external_id' AS external_id,
       c.contents->>'title' AS title, c.contents->>'url' AS url, d.path::text AS path,
       k.heading_path, k.position, k.chunk_content AS text, c.version
FROM document_chunk k
JOIN document_content c USING (document_content_id)
JOIN document d ON d.document_id = c.document_id
WHERE k.rag_index_build_id = %(build)s AND k.document_chunk_id = ANY(%(chunks)s)
  AND k.deleted_at IS NULL AND d.workspace_id = %(workspace_id)s;
