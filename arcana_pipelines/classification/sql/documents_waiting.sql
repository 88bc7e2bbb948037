-- Documents that are to be classified: they, what is served of them, the version of the taxonomy or the logic is another
-- one than last time, or a person has decided since. A file has its page's place and properties.
-- in: workspace_id, version, logic, build (that serves; NULL: none), last (the last one of before), most (how many)
-- out: document_id, ascending
SELECT d.document_id
FROM document d
LEFT JOIN taxonomy_classified c ON c.doc_id = d.document_id
LEFT JOIN published_document s ON s.rag_index_build_id = %(build)s AND s.document_id = d.document_id
LEFT JOIN source_file f ON f.document_id = d.document_id
LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
LEFT JOIN document of_page ON of_page.document_id = p.document_id
WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL AND d.document_id > %(last)s
  AND (c.doc_id IS NULL OR c.version <> %(version)s OR c.logic <> %(logic)s
       OR c.content_id IS DISTINCT FROM coalesce(s.document_content_id, d.latest_content_id)
       OR greatest(d.updated_at, s.published_at, of_page.updated_at) > c.classified_at
       OR EXISTS (SELECT FROM taxonomy_decision k WHERE k.doc_id = d.document_id AND k.decided_at > c.classified_at))
ORDER BY d.document_id
LIMIT %(most)s
