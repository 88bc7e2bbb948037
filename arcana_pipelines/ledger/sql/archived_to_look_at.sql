-- Archived pages in turn: those that were looked at longest ago.
-- in: workspace_id, generation, limit
-- out: external_id of each
SELECT external_id FROM source_page
WHERE workspace_id = %(workspace_id)s AND is_archived AND state NOT IN ('tombstoned', 'suspect')
  AND seen_generation < %(generation)s
ORDER BY seen_generation, external_id
LIMIT %(limit)s;
