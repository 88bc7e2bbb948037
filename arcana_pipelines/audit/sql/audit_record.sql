-- A row of the audit log. Its number, its time and its hashes are the trigger's.
-- in: actor, action, object, workspace_id, company_id, details
-- out: nothing
INSERT INTO audit_logs (actor, company_id, workspace_id, workspace_slug, action, object, details)
SELECT %(actor)s, coalesce(w.company_id, %(company_id)s::uuid), %(workspace_id)s::uuid, w.slug, %(action)s, %(object)s,
       %(details)s
FROM (VALUES (1)) AS one
LEFT JOIN workspace w ON w.workspace_id = %(workspace_id)s::uuid
