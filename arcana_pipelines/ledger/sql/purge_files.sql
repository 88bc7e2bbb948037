-- Forget files that were removed longer ago than the retention time, with their documents, or whose page is about to be
-- forgotten; then the bytes that no file has referred to for as long.
-- in: workspace_id, days
-- out: nothing
WITH old AS (
    SELECT f.external_id, f.document_id
    FROM source_file f
    LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
    WHERE f.workspace_id = %(workspace_id)s AND f.state = 'removed'
      AND (f.removed_at < now() - make_interval(days => %(days)s)
           OR p.state = 'tombstoned' AND p.removed_at < now() - make_interval(days => %(days)s))
      AND NOT EXISTS (SELECT 1 FROM published_document s WHERE s.document_id = f.document_id)
), files AS (
    DELETE FROM source_file f USING old
    WHERE f.workspace_id = %(workspace_id)s AND f.external_id = old.external_id
), documents AS (
    DELETE FROM document d USING old WHERE d.document_id = old.document_id
), wanted AS (
    SELECT f.sha256 FROM source_file f
    WHERE f.workspace_id = %(workspace_id)s AND f.sha256 IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM old WHERE old.external_id = f.external_id)
), unwanted AS (
    UPDATE stored_file s SET unwanted_since = CASE WHEN NOT now_wanted.yes THEN coalesce(s.unwanted_since, now()) END
    FROM (SELECT s.sha256, EXISTS (SELECT 1 FROM wanted w WHERE w.sha256 = s.sha256) AS yes
          FROM stored_file s WHERE s.workspace_id = %(workspace_id)s) now_wanted
    WHERE s.workspace_id = %(workspace_id)s AND s.sha256 = now_wanted.sha256
      AND (s.unwanted_since IS NULL) <> now_wanted.yes
)
DELETE FROM stored_file s
WHERE s.workspace_id = %(workspace_id)s AND s.unwanted_since < now() - make_interval(days => %(days)s)
  AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.sha256 = s.sha256);
