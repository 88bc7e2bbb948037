-- Take all pages that a sweep did not show for gone: most of those that were looked at are. Behind `unseen`
-- (sweep_unseen.sql).
-- in: workspace_id
-- out: nothing
INSERT INTO unlisted_page AS held (workspace_id, external_id, is_gone)
SELECT %(workspace_id)s, external_id, true FROM unseen
ON CONFLICT (workspace_id, external_id) DO UPDATE SET is_gone = true, sweeps = 0
