-- The same for who may not see syncs.
-- in: slugs, index (name)
-- out: the fields of ServedWorkspace
SELECT w.slug AS workspace, w.name, coalesce(i.object_count, 0) AS documents, i.updated AS published_at,
       NULL::timestamptz AS synced_at
FROM workspace w
LEFT JOIN rag_indexes i ON i.workspace_id = w.workspace_id AND i.name = %(index)s
WHERE w.slug = ANY(%(slugs)s) AND w.status <> 'deleting'
ORDER BY w.slug;
