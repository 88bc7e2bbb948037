-- The next pages to read, in key order: pending ones, quarantined ones whose time has come, and settled
-- re-reads (a page that was read within its edit minute may have been edited again in the same minute).
-- in: workspace_id, after (external_id), settled_before (see pages_fetched.sql), reread_unsettled (true or false),
--     limit
-- out: the fields of PageRef
SELECT external_id, kind, parent_kind, parent_external_id AS parent_id, title, url, revision, last_edited_at, properties
FROM source_page
WHERE workspace_id = %(workspace_id)s
  AND external_id > %(after)s
  AND (state = 'pending'
       OR (state = 'quarantined' AND next_attempt_at <= now())
       -- Two conditions, because each has an index of its own.
       OR (state = 'unchanged' AND NOT settled AND (last_edited_at <= %(settled_before)s OR %(reread_unsettled)s))
       OR (state = 'fetched' AND NOT settled AND (last_edited_at <= %(settled_before)s OR %(reread_unsettled)s)))
ORDER BY external_id
LIMIT %(limit)s;
