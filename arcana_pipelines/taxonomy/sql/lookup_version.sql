-- The version of a taxonomy that is asked.
-- in: workspace_id, version (NULL: the active one)
-- out: workspace_id, version, released_at (NULL: it is a draft)
SELECT v.workspace_id, v.version,
       CASE WHEN v.state <> 'draft' THEN coalesce(v.released_at, v.created_at) END AS released_at
FROM taxonomy_version v
WHERE v.workspace_id = %(workspace_id)s
  AND CASE WHEN %(version)s::text IS NULL THEN v.state = 'active' ELSE v.version = %(version)s::text END;
