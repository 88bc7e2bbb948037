-- Does this parent, or anything above it, go with the trash? What is gone there for another reason says nothing of what is
-- below it: a page may be shared by itself below one that is not.
-- in: workspace_id, parent (external_id), trashed (ids of pages that are about to be removed with the trash),
--     unseen (ids of pages that the ledger has never seen and that were looked at),
--     unseen_parents (of these; NULL: none), unseen_in_trash (of these)
-- out: true or false; NULL: nothing is known above
WITH RECURSIVE above AS (
    SELECT NULL::text AS external_id, %(parent)s::text AS parent_external_id, false AS in_trash, NULL::text AS state,
           NULL::text AS reason
    UNION
    SELECT p.*
    FROM above, LATERAL (
        SELECT external_id, parent_external_id, in_trash, state, reason FROM source_page
        WHERE workspace_id = %(workspace_id)s AND external_id = above.parent_external_id
        UNION ALL
        SELECT looks.external_id, looks.parent, looks.in_trash, NULL, NULL
        FROM unnest(%(unseen)s::text[], %(unseen_parents)s::text[], %(unseen_in_trash)s::boolean[])
            AS looks (external_id, parent, in_trash)
        WHERE looks.external_id = above.parent_external_id
    ) p
)
-- A page in a deleted block is in no trash by itself: it says so with its reason.
SELECT bool_or(in_trash OR external_id = ANY(%(trashed)s::text[])
               OR state = 'tombstoned' AND reason = 'below a page in the trash')
FROM above WHERE external_id IS NOT NULL;
