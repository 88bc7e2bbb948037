-- Take a workspace's lease: where no run holds it, or the process that held it is gone. The same run shares it; after a
-- crash of its own process it is taken again.
-- in: workspace_id, run, role, expires, namespace
-- out: the fencing number, or nothing
UPDATE workspace_lease l
SET run = %(run)s, role = %(role)s, is_resting = false, heartbeat_at = clock_timestamp(),
    fencing = l.fencing + CASE WHEN l.run = %(run)s AND EXISTS (
    SELECT FROM pg_locks k
    WHERE k.locktype = 'advisory' AND k.granted AND k.pid <> pg_backend_pid() AND k.classid = %(namespace)s
      AND k.objid = (hashtext(l.run || l.workspace_id::text)::bigint & 4294967295)::oid
      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())) THEN 0 ELSE 1 END
WHERE l.workspace_id = %(workspace_id)s
  AND (l.run IS NULL OR l.run = %(run)s OR l.heartbeat_at < clock_timestamp() - %(expires)s
       OR NOT (l.is_resting OR EXISTS (
    SELECT FROM pg_locks k
    WHERE k.locktype = 'advisory' AND k.granted AND k.pid <> pg_backend_pid() AND k.classid = %(namespace)s
      AND k.objid = (hashtext(l.run || l.workspace_id::text)::bigint & 4294967295)::oid
      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()))))
RETURNING l.fencing;
