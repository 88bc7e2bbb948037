-- Whether a process of a run is alive that has, or has had, a workspace's lease, or waits for it. One that has it renews
-- it: where a machine is gone, its connection may still stand, at this server or at a pool in front of it.
-- in: workspace_id, run, namespace, expires
-- out: true or false
SELECT NOT EXISTS (
    SELECT FROM workspace_lease l
    WHERE l.workspace_id = %(workspace_id)s AND l.run = %(run)s AND l.heartbeat_at < clock_timestamp() - %(expires)s)
  AND EXISTS (
    SELECT FROM pg_locks k
    WHERE k.locktype = 'advisory' AND k.granted AND k.pid <> pg_backend_pid() AND k.classid = %(namespace)s
      AND k.objid = (hashtext(%(run)s || %(workspace_id)s::text)::bigint & 4294967295)::oid
      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()));
