-- What the listing said of pages, in the order of their ids.
-- in: workspace_id, ids
-- out: the fields of PageRef
SELECT external_id, kind, parent_kind, parent_external_id AS parent_id, title, url, revision, last_edited_at, properties,
       is_internal, record
FROM source_page p
JOIN unnest(%(ids)s::text[]) WITH ORDINALITY AS wanted (external_id, number) USING (external_id)
WHERE p.workspace_id = %(workspace_id)s
ORDER BY wanted.number;
