-- Pages of which the source gave only a part, grouped by the reason (ids and numbers in it do not count).
-- in: workspace_id
-- out: reason, pages (number), examples (JSON), and how many pages there are in all groups together
WITH part AS (
    SELECT external_id, title, url, words AS reason,
           regexp_replace(words, '[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|\d+', '…', 'g') AS kind
    FROM source_page
    CROSS JOIN LATERAL jsonb_array_elements_text(partial) AS lack(words)
    WHERE workspace_id = %(workspace_id)s AND NOT is_container AND state <> 'tombstoned'
      AND partial <> '[]'
)
SELECT CASE WHEN count(DISTINCT reason) = 1 THEN min(reason) ELSE kind END, count(DISTINCT external_id),
       (array_agg(DISTINCT jsonb_build_object(
           'external_id', external_id, 'title', title, 'url', url, 'reason', reason)))[1:5],
       (SELECT count(DISTINCT external_id) FROM part)
FROM part
GROUP BY kind
ORDER BY count(DISTINCT external_id) DESC, kind
LIMIT 20;
