-- How many files a workspace has in each state, for each reason.
-- in: workspace_id
-- out: state, reason, files, bytes (those whose bytes are kept)
SELECT f.state, f.reason, count(*) AS files, coalesce(sum(s.size), 0)::bigint AS bytes
FROM source_file f LEFT JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256
WHERE f.workspace_id = %(workspace_id)s AND f.state <> 'removed'
GROUP BY f.state, f.reason
ORDER BY f.state, count(*) DESC, f.reason;
