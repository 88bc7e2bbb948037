-- Write down what a person says of a topic of a document, with what was suggested, where it was.
-- in: workspace_id, version, document_id, node_id, verdict, by
-- out: decided_at
INSERT INTO taxonomy_decision AS held (doc_id, node_id, workspace_id, verdict, decided_by, content_id, origin, score, margin,
                                       model)
SELECT d.document_id, %(node_id)s, %(workspace_id)s, %(verdict)s, %(by)s, d.latest_content_id, t.origin, t.score, t.margin,
       CASE WHEN t.origin = 'nearest' THEN i.embedding_model END
FROM document d
LEFT JOIN doc_taxonomy t ON t.doc_id = d.document_id AND t.node_id = %(node_id)s AND t.version = %(version)s
LEFT JOIN rag_indexes i ON i.workspace_id = %(workspace_id)s AND i.name = 'default'
WHERE d.document_id = %(document_id)s
ON CONFLICT (doc_id, node_id) DO UPDATE SET
    verdict = excluded.verdict, decided_by = excluded.decided_by, decided_at = now(), content_id = excluded.content_id,
    origin = excluded.origin, score = excluded.score, margin = excluded.margin, model = excluded.model
RETURNING decided_at
