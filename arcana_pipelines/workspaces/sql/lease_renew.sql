-- A sign of life of the holder.
-- in: workspace_id, run, fencing
-- out: nothing
UPDATE workspace_lease SET heartbeat_at = clock_timestamp()
WHERE workspace_id = %(workspace_id)s AND run = %(run)s AND fencing = %(fencing)s;
