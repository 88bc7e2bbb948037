-- The next documents whose staged chunks all have their embedding.
SELECT d.document_id
FROM (SELECT DISTINCT document_content_id FROM chunk_stage WHERE rag_index_build_id = %(build)s) staged
JOIN document_content c USING (document_content_id)
JOIN document d ON d.document_id = c.document_id AND d.latest_content_id = c.document_content_id
WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM chunk_stage t
    WHERE t.rag_index_build_id = %(build)s AND t.document_content_id = c.document_content_id
      AND NOT EXISTS (SELECT 1 FROM embedding_store e
                      WHERE e.workspace_id = %(workspace_id)s AND e.embedding_model = %(model)s
                        AND e.dimensions = %(dimensions)s AND e.text_hash = t.text_hash))
ORDER BY d.document_id;
