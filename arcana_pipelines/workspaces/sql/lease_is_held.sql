-- Whether the lease is held now.
-- in: workspace_id, run, fencing
-- out: true or false
SELECT EXISTS (SELECT FROM workspace_lease
               WHERE workspace_id = %(workspace_id)s AND run = %(run)s AND fencing = %(fencing)s);
