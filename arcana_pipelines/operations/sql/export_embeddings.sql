-- The vectors of the chunks that a build serves, as text: its numbers are the shortest that are the same float32.
-- in: workspace_id, model, chunks (the table of a build)
-- out: document_chunk_id, document_id, position, model, vector
SELECT k.document_chunk_id, c.document_id::text, k.position, %(model)s::text, k.chunk_embedding::text
FROM {chunks} k
JOIN document_content c USING (document_content_id)
JOIN document d ON d.document_id = c.document_id
WHERE k.deleted_at IS NULL AND d.workspace_id = %(workspace_id)s
ORDER BY k.document_chunk_id;
