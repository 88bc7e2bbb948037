-- A file that somebody adds, unless there is one of this name in this place.
-- in: workspace_id, external_id, page (NULL: it hangs on none), file_id
-- out: nothing
INSERT INTO source_file (workspace_id, external_id, page_external_id, file_id, position, name, origin)
VALUES (%(workspace_id)s, %(external_id)s, %(page)s, %(file_id)s, 0, '', 'added')
ON CONFLICT (workspace_id, external_id) DO NOTHING;
