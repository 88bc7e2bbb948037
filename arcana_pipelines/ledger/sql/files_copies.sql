-- Of files with the same bytes one has the text: it stays the one as long as it lives, also where its text cannot be
-- embedded. The others are copies of it. What lies so deep that it is not looked into is no original of what is.
-- in: workspace_id
-- out: how many changed
WITH live AS (
    SELECT external_id, sha256, copy_of, made_of, added_at, depth
    FROM source_file
    WHERE workspace_id = %(workspace_id)s AND state IN ('parsed', 'quarantined') AND sha256 IS NOT NULL
), first AS (
    SELECT DISTINCT ON (sha256) sha256, external_id
    FROM live
    ORDER BY sha256, depth < 2 DESC, made_of IS NOT NULL AND copy_of IS NULL DESC, added_at, external_id
), changed AS (
    UPDATE source_file f SET copy_of = nullif(first.external_id, f.external_id)
    FROM live JOIN first USING (sha256)
    WHERE f.workspace_id = %(workspace_id)s AND f.external_id = live.external_id
      AND f.copy_of IS DISTINCT FROM nullif(first.external_id, f.external_id)
    RETURNING 1
), without AS (
    -- Other bytes took the place of a copy's, and have no text.
    UPDATE source_file f SET copy_of = NULL
    WHERE f.workspace_id = %(workspace_id)s AND f.state = 'skipped' AND f.copy_of IS NOT NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM changed) + (SELECT count(*) FROM without);
