-- Files go with what they hang on or lie in, and come back with it: where its bytes are kept, nothing is fetched.
-- in: workspace_id
-- out: how many changed
WITH RECURSIVE above AS (
    SELECT f.external_id, coalesce(p.state = 'tombstoned', false) AS is_gone
    FROM source_file f
    LEFT JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id
    WHERE f.workspace_id = %(workspace_id)s AND f.container IS NULL
    UNION ALL
    SELECT f.external_id, above.is_gone
    FROM above
    JOIN source_file f ON f.workspace_id = %(workspace_id)s AND f.container = above.external_id
), gone AS (
    UPDATE source_file f SET state = 'removed', reason = 'went with its page', removed_at = now(), address = NULL,
                             expires_at = NULL
    FROM above
    WHERE f.workspace_id = %(workspace_id)s AND f.external_id = above.external_id AND above.is_gone
      AND f.state <> 'removed'
    RETURNING 1
), back AS (
    UPDATE source_file f SET state = CASE WHEN f.sha256 IS NULL THEN 'pending' ELSE 'stored' END, reason = NULL,
                             removed_at = NULL, attempts = 0, next_attempt_at = NULL
    FROM above
    WHERE f.workspace_id = %(workspace_id)s AND f.external_id = above.external_id AND NOT above.is_gone
      AND f.state = 'removed' AND f.reason = 'went with its page'
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM back);
