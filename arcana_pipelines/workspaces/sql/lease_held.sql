-- The workspaces that a run is at work on.
-- in: expires, namespace
-- out: slug
SELECT w.slug
FROM workspace_lease l JOIN workspace w USING (workspace_id)
WHERE l.run IS NOT NULL AND l.heartbeat_at >= clock_timestamp() - %(expires)s
  AND (l.is_resting OR EXISTS (
    SELECT FROM pg_locks k
    WHERE k.locktype = 'advisory' AND k.granted AND k.pid <> pg_backend_pid() AND k.classid = %(namespace)s
      AND k.objid = (hashtext(l.run || l.workspace_id::text)::bigint & 4294967295)::oid
      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())));
