-- Databases that may have left the trash.
-- in: workspace_id, trash_known (the trash was listed), trash (ids in it), trash_since (the listing reaches back
--     to it; NULL: it is whole)
-- out: external_id of each
SELECT external_id FROM source_page
WHERE workspace_id = %(workspace_id)s AND is_container AND in_trash
  AND %(trash_known)s AND NOT external_id = ANY(%(trash)s)
  AND (%(trash_since)s::timestamptz IS NULL OR last_edited_at > %(trash_since)s);
