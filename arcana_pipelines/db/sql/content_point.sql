-- Point documents at their new contents, and bring back those that were removed.
UPDATE document d SET
    latest_content_id = coalesce(t.document_content_id, d.latest_content_id),
    deleted_at = NULL,
    updated_at = now()
FROM unnest(%(documents)s::uuid[], %(contents)s::uuid[]) AS t(document_id, document_content_id)
WHERE d.document_id = t.document_id;
