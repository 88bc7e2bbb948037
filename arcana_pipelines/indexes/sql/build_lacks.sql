-- Is there a document whose latest content a build does not serve, though nothing keeps it out?
-- in: workspace_id, build (rag_index_build_id)
-- out: true or false
SELECT EXISTS (
    SELECT 1 FROM document d
    LEFT JOIN published_document s ON s.rag_index_build_id = %(build)s AND s.document_id = d.document_id
    WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL AND d.latest_content_id IS NOT NULL
      AND s.document_content_id IS DISTINCT FROM d.latest_content_id
      AND NOT EXISTS (SELECT 1 FROM source_page p
                      WHERE p.document_id = d.document_id AND p.state = 'quarantined')
      AND NOT EXISTS (SELECT 1 FROM source_file f
                      WHERE f.document_id = d.document_id AND f.state = 'quarantined'));
