-- Whether the lease is held, and held until this transaction's end.
-- in: workspace_id, run, fencing
-- out: true, or nothing
SELECT true FROM workspace_lease
WHERE workspace_id = %(workspace_id)s AND run = %(run)s AND fencing = %(fencing)s
FOR SHARE;
