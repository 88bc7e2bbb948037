-- The newest rows of the audit log, the newest first.
-- in: workspace (a slug; null: all), most
-- out: the fields of Entry
SELECT audit_log_id, at, actor, company_id, workspace_id, workspace_slug, action, object, details, encode(hash, 'hex') AS hash
FROM audit_logs
WHERE %(workspace)s::text IS NULL OR workspace_slug = %(workspace)s
ORDER BY audit_log_id DESC
LIMIT %(most)s
