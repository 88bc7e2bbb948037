-- The documents of which a rule's conditions hold.
-- in: workspace_id, documents (SQL and parameters of `filtered.documents_of`), holds (conditions on `named`)
-- out: document_id, title
SELECT named.document_id, named.title
FROM (
    SELECT p.document_id, p.title FROM source_page p
    WHERE p.workspace_id = %(workspace_id)s AND p.document_id IS NOT NULL
    UNION ALL
    SELECT f.document_id, f.name FROM source_file f
    WHERE f.workspace_id = %(workspace_id)s AND f.document_id IS NOT NULL
) named
WHERE named.document_id IN (SELECT found.document_id FROM ({documents}) found) AND {holds}
