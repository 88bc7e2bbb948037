-- The vectors of the chunks that a build serves, as text: its numbers are the shortest that are the same float32.
-- in: workspace_id, build (rag_index_build_id), model, chunks (the table of a build), internal (false: without private notes and their files)
-- out: document_chunk_id, document_id, position, model, vector
SELECT k.document_chunk_id, c.document_id::text, part.number - 1, %(model)s::text, k.chunk_embedding::text
FROM published_document s
CROSS JOIN LATERAL unnest(s.chunk_ids) WITH ORDINALITY AS part (document_chunk_id, number)
JOIN {chunks} k USING (document_chunk_id)
JOIN document_content c ON c.document_content_id = s.document_content_id
JOIN document d ON d.document_id = s.document_id
WHERE s.rag_index_build_id = %(build)s AND d.workspace_id = %(workspace_id)s AND (%(internal)s OR NOT d.is_internal)
ORDER BY k.document_chunk_id;
