-- Is anything above this parent removed, or about to be?
-- in: workspace_id, parent (external_id), proven (ids of pages that are about to be removed)
-- out: true or false; NULL: nothing is known above
WITH RECURSIVE above AS (
    SELECT external_id, parent_external_id, in_trash, state FROM source_page
    WHERE workspace_id = %(workspace_id)s AND external_id = %(parent)s
    UNION
    SELECT p.external_id, p.parent_external_id, p.in_trash, p.state
    FROM above JOIN source_page p
        ON p.workspace_id = %(workspace_id)s AND p.external_id = above.parent_external_id
)
SELECT bool_or(in_trash OR state = 'tombstoned' OR external_id = ANY(%(proven)s::text[])) FROM above;
