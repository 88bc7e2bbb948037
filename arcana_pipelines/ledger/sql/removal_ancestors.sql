-- Is anything above this parent in the trash? What is gone there for another reason says nothing of what is below it: a
-- page may be shared by itself below one that is not.
-- in: workspace_id, parent (external_id)
-- out: true or false; NULL: nothing is known above
WITH RECURSIVE above AS (
    SELECT external_id, parent_external_id, in_trash FROM source_page
    WHERE workspace_id = %(workspace_id)s AND external_id = %(parent)s
    UNION
    SELECT p.external_id, p.parent_external_id, p.in_trash
    FROM above JOIN source_page p
        ON p.workspace_id = %(workspace_id)s AND p.external_id = above.parent_external_id
)
SELECT bool_or(in_trash) FROM above;
