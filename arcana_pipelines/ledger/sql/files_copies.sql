-- Of files with the same bytes one has the text: it stays the one as long as it lives. The others are copies of it.
-- in: workspace_id
-- out: how many changed
WITH live AS (
    SELECT external_id, sha256, copy_of, made_of, added_at
    FROM source_file
    WHERE workspace_id = %(workspace_id)s AND state = 'parsed' AND sha256 IS NOT NULL
), first AS (
    SELECT DISTINCT ON (sha256) sha256, external_id
    FROM live
    ORDER BY sha256, made_of IS NOT NULL AND copy_of IS NULL DESC, added_at, external_id
), changed AS (
    UPDATE source_file f SET copy_of = nullif(first.external_id, f.external_id)
    FROM live JOIN first USING (sha256)
    WHERE f.workspace_id = %(workspace_id)s AND f.external_id = live.external_id
      AND f.copy_of IS DISTINCT FROM nullif(first.external_id, f.external_id)
    RETURNING 1
)
SELECT count(*) FROM changed;
