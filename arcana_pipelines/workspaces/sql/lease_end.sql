-- Let go of a lease, or let it rest until the run's next step, unless another process of the run is at work.
-- in: workspace_id, run, fencing, namespace, rests
-- out: nothing
UPDATE workspace_lease l
SET run = CASE WHEN %(rests)s THEN l.run END, is_resting = %(rests)s, heartbeat_at = clock_timestamp()
WHERE l.workspace_id = %(workspace_id)s AND l.run = %(run)s AND l.fencing = %(fencing)s
  AND NOT EXISTS (
    SELECT FROM pg_locks k
    WHERE k.locktype = 'advisory' AND k.granted AND k.pid <> pg_backend_pid() AND k.classid = %(namespace)s
      AND k.objid = (hashtext(l.run || l.workspace_id::text)::bigint & 4294967295)::oid
      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database()));
