-- Whether this transaction may be committed: it has written nothing, or the lease is held, and is held until its end.
-- in: workspace_id, run, fencing
-- out: true, or nothing
SELECT CASE WHEN pg_current_xact_id_if_assigned() IS NULL THEN true ELSE (
  SELECT true FROM workspace_lease
  WHERE workspace_id = %(workspace_id)s AND run = %(run)s AND fencing = %(fencing)s
  FOR SHARE) END;
