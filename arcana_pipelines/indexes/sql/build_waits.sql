-- What a build still lacks: documents whose latest content it does not hold though nothing keeps them out, and texts
-- of its model that wait in batches at the provider.
-- in: workspace_id, build (rag_index_build_id), model, dimensions
-- out: documents, texts (numbers)
SELECT (SELECT count(*) FROM document d
        LEFT JOIN published_document s ON s.rag_index_build_id = %(build)s AND s.document_id = d.document_id
        WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL AND d.latest_content_id IS NOT NULL
          AND s.document_content_id IS DISTINCT FROM d.latest_content_id
          AND NOT EXISTS (SELECT 1 FROM source_page p
                          WHERE p.document_id = d.document_id AND p.state = 'quarantined')
          AND NOT EXISTS (SELECT 1 FROM source_file f
                          WHERE f.document_id = d.document_id AND f.state = 'quarantined')),
       (SELECT count(*) FROM embedding_batch b JOIN embedding_batch_text t USING (embedding_batch_id)
        WHERE b.workspace_id = %(workspace_id)s AND b.embedding_model = %(model)s AND b.dimensions = %(dimensions)s
          AND b.state IN ('sending', 'waiting'));
