-- A share of the pages that were just listed are to be read again, those that were read longest ago: what changed in
-- them may have moved nothing.
-- in: workspace_id, generation, share (one page in so many)
-- out: nothing
WITH held AS (
    SELECT external_id, fetched_at FROM source_page
    WHERE workspace_id = %(workspace_id)s AND state = 'unchanged' AND seen_generation = %(generation)s
      AND NOT is_container AND NOT is_archived AND comes_with IS NULL
), oldest AS (
    SELECT external_id FROM held ORDER BY fetched_at, external_id
    LIMIT (SELECT ceil(count(*) / %(share)s::numeric) FROM held)
)
UPDATE source_page p SET state = 'pending', fetched_revision = NULL
FROM oldest WHERE p.workspace_id = %(workspace_id)s AND p.external_id = oldest.external_id;
