-- Where the chain of the audit log is broken first. Nothing that stands in the database takes part in the comparison but
-- the rows themselves: a function there could be another one.
-- in: nothing
-- out: no row, or one: audit_log_id, after (the number of the row before; 0: there is none), why
SELECT audit_log_id, after,
       CASE WHEN NOT is_next THEN 'missing' WHEN NOT follows THEN 'follows' ELSE 'changed' END AS why
FROM (
    SELECT audit_log_id, coalesce(lag(audit_log_id) OVER line, 0) AS after,
           audit_log_id = coalesce(lag(audit_log_id) OVER line, 0) + 1 AS is_next,
           previous_hash = coalesce(lag(hash) OVER line, sha256('')) AS follows,
           hash = sha256(previous_hash || convert_to(jsonb_build_array(
               audit_log_id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), actor, company_id,
               workspace_id, workspace_slug, action, object, details)::text, 'UTF8')) AS is_whole
    FROM audit_logs
    WINDOW line AS (ORDER BY audit_log_id)
) AS rows
WHERE NOT (is_next AND follows AND is_whole)
ORDER BY audit_log_id
LIMIT 1
