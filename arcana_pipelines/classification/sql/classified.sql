-- Remember that documents were classified, and by what.
-- in: workspace_id, version, documents (ids), logic, build (that serves; NULL: none)
-- out: nothing
INSERT INTO taxonomy_classified AS held (doc_id, workspace_id, version, content_id, logic, classified_at)
SELECT d.document_id, %(workspace_id)s, %(version)s, coalesce(s.document_content_id, d.latest_content_id), %(logic)s, now()
FROM document d
LEFT JOIN published_document s ON s.rag_index_build_id = %(build)s AND s.document_id = d.document_id
WHERE d.document_id = ANY(%(documents)s::uuid[])
ON CONFLICT (doc_id) DO UPDATE SET
    workspace_id = excluded.workspace_id, version = excluded.version, content_id = excluded.content_id,
    logic = excluded.logic, classified_at = excluded.classified_at
