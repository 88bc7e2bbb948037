-- Of files with the same bytes one has the text: it stays the one as long as it lives, also where its text cannot be
-- embedded. The others are copies of it. What lies so deep that it is not looked into is no original of what is. What is
-- internal (of a private note) is none of what is not, and the other way round: who sees the one may not see the other.
-- in: workspace_id
-- out: how many changed
WITH live AS (
    SELECT f.external_id, f.sha256, f.copy_of, f.made_of, f.added_at, f.depth,
           coalesce(p.is_internal, false) AS is_internal
    FROM source_file f
    LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
    WHERE f.workspace_id = %(workspace_id)s AND f.state IN ('parsed', 'quarantined') AND f.sha256 IS NOT NULL
), first AS (
    SELECT DISTINCT ON (sha256, is_internal) sha256, is_internal, external_id
    FROM live
    ORDER BY sha256, is_internal, depth < 2 DESC, made_of IS NOT NULL AND copy_of IS NULL DESC, added_at, external_id
), changed AS (
    UPDATE source_file f SET copy_of = nullif(first.external_id, f.external_id)
    FROM live JOIN first USING (sha256, is_internal)
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
