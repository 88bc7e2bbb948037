-- Lets a version be the active one. The one that is, is retired by another statement before.
-- in: workspace_id, version
-- out: nothing
UPDATE taxonomy_version SET state = 'active', released_at = coalesce(released_at, now()), activated_at = now()
WHERE workspace_id = %(workspace_id)s AND version = %(version)s
