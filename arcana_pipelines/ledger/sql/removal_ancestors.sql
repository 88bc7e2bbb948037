-- Does this parent, or anything above it, go with the trash? What is gone there for another reason says nothing of what is
-- below it: a page may be shared by itself below one that is not.
-- in: workspace_id, parent (external_id), trashed (ids of pages that are about to be removed with the trash)
-- out: true or false; NULL: nothing is known above
WITH RECURSIVE above AS (
    SELECT external_id, parent_external_id, in_trash, state, reason FROM source_page
    WHERE workspace_id = %(workspace_id)s AND external_id = %(parent)s
    UNION
    SELECT p.external_id, p.parent_external_id, p.in_trash, p.state, p.reason
    FROM above JOIN source_page p
        ON p.workspace_id = %(workspace_id)s AND p.external_id = above.parent_external_id
)
-- A page in a deleted block is in no trash by itself: it says so with its reason.
SELECT bool_or(in_trash OR external_id = ANY(%(trashed)s::text[])
               OR state = 'tombstoned' AND reason = 'below a page in the trash')
FROM above;
