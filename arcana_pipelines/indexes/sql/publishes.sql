-- How often what each index of a company serves has changed.
-- in: company_id
-- out: workspace_id, platform and workspace (slug) of it, index_id, index (its name), version, published_at
SELECT w.workspace_id, w.platform, w.slug AS workspace, i.rag_index_id AS index_id, i.name AS index, i.publish_seq AS version, i.updated AS published_at
FROM rag_indexes i
JOIN workspace w USING (workspace_id)
WHERE w.company_id = %(company_id)s AND w.status <> 'deleting' AND i.active_build_id IS NOT NULL
ORDER BY w.slug, i.name;
