-- Note what a direct look at a page that a sweep did not show has said, unless another process was quicker.
-- in: workspace_id, began_at, looks (before this one), page, is_gone
-- out: looks, gone (of them), answers; no row: another process was quicker
WITH noted AS (
    UPDATE source_sweep SET
        looked = looked || %(page)s::text, gone = gone + %(is_gone)s::boolean::int, failures = 0
    WHERE workspace_id = %(workspace_id)s AND began_at = %(began_at)s AND cardinality(looked) = %(looks)s
    RETURNING workspace_id, cardinality(looked) AS looks, gone, answers
), kept AS (
    INSERT INTO unlisted_page AS held (workspace_id, external_id, is_gone, sweeps)
    SELECT p.workspace_id, p.external_id, %(is_gone)s::boolean, CASE WHEN %(is_gone)s::boolean THEN 0 ELSE 1 END
    FROM noted JOIN source_page p USING (workspace_id)
    WHERE p.external_id = %(page)s
    ON CONFLICT (workspace_id, external_id) DO UPDATE SET
        is_gone = excluded.is_gone,
        is_missed = false,
        sweeps = CASE WHEN excluded.is_gone THEN 0 ELSE held.sweeps + 1 END
)
SELECT looks, gone, answers FROM noted;
