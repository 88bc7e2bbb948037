-- Databases that left the trash: what lies below them may be back.
-- in: workspace_id, generation, trash_known (the trash was listed), trash (ids in it), trash_since (the listing
--     reaches back to it; NULL: it is whole)
-- out: nothing
UPDATE source_page SET in_trash = false, seen_generation = %(generation)s
WHERE workspace_id = %(workspace_id)s AND is_container AND in_trash
  AND %(trash_known)s AND NOT external_id = ANY(%(trash)s)
  AND (%(trash_since)s::timestamptz IS NULL OR last_edited_at > %(trash_since)s);
