-- Forget pages whose removal is older than the retention time, with their documents, versions and chunks.
WITH old AS (
    SELECT p.external_id, p.document_id FROM source_page p
    WHERE p.workspace_id = %(workspace_id)s AND p.state = 'tombstoned'
      AND p.removed_at < now() - make_interval(days => %(days)s)
      AND NOT EXISTS (SELECT 1 FROM published_document s WHERE s.document_id = p.document_id)
), pages AS (
    DELETE FROM source_page p USING old
    WHERE p.workspace_id = %(workspace_id)s AND p.external_id = old.external_id
    RETURNING p.document_id
), documents AS (
    DELETE FROM document d USING pages WHERE d.document_id = pages.document_id
)
SELECT count(*) FROM pages;
