-- How often what each index of a company serves has changed.
-- in: company_id
-- out: workspace_id, workspace (slug), index, version, published_at
SELECT w.workspace_id, w.slug AS workspace, i.name AS index, i.publish_seq AS version, i.updated AS published_at
FROM rag_indexes i
JOIN workspace w USING (workspace_id)
WHERE w.company_id = %(company_id)s AND w.status <> 'deleting' AND i.active_build_id IS NOT NULL
ORDER BY w.slug, i.name;
