-- The texts of a served document's chunks, in their order.
-- in: workspace_id, document_id, build (rag_index_build_id), chunks (table)
-- out: chunk_content
SELECT k.chunk_content
FROM published_document s
JOIN document d USING (document_id)
CROSS JOIN LATERAL unnest(s.chunk_ids) WITH ORDINALITY AS part (document_chunk_id, number)
JOIN {chunks} k ON k.rag_index_build_id = s.rag_index_build_id AND k.document_chunk_id = part.document_chunk_id
WHERE s.rag_index_build_id = %(build)s AND k.rag_index_build_id = %(build)s AND s.document_id = %(document_id)s::uuid
  AND d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL
ORDER BY part.number;
