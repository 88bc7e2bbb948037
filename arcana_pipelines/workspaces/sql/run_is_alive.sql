-- Whether a process of a run is alive that has, or has had, a workspace's lease.
-- in: workspace_id, run, namespace
-- out: true or false
SELECT EXISTS (
    SELECT FROM pg_locks k
    WHERE k.locktype = 'advisory' AND k.granted AND k.pid <> pg_backend_pid() AND k.classid = %(namespace)s
      AND k.objid = (hashtext(%(run)s || %(workspace_id)s::text)::bigint & 4294967295)::oid
      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()));
