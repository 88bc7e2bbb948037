-- Let everything be read again; what is removed, when it returns.
-- in: workspace_id
-- out: nothing
UPDATE source_page SET
    fetched_revision = NULL,
    state = CASE WHEN state IN ('unchanged', 'fetched') THEN 'pending' ELSE state END
WHERE workspace_id = %(workspace_id)s AND NOT is_container AND comes_with IS NULL;
