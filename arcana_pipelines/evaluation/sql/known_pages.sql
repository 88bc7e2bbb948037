-- Those of the named pages that are documents of the workspace now.
-- in: workspace_id, pages (ids)
-- out: external_id
SELECT p.external_id
FROM source_page p
JOIN document d USING (document_id)
WHERE p.workspace_id = %(workspace_id)s AND p.external_id = ANY(%(pages)s) AND d.deleted_at IS NULL;
