-- One open row for each cause. What was looked for and not found is over; what was not looked for stays as it is.
-- in: found (JSON array of causes), looked_at (the kinds of causes that were looked for)
-- out: the alerts that are new: cause, workspace, text, detail
WITH found AS (
    SELECT DISTINCT ON (cause, workspace, subject) *
    FROM json_to_recordset(%(found)s::json)
        AS t(cause text, workspace text, subject text, text text, detail text, next_step text, run_id text)
), over AS (
    UPDATE alert a SET resolved_at = now()
    WHERE a.resolved_at IS NULL AND a.cause = ANY(%(looked_at)s) AND NOT EXISTS (
        SELECT 1 FROM found f WHERE f.cause = a.cause AND f.workspace = a.workspace AND f.subject = a.subject
    )
), known AS (
    UPDATE alert a SET last_seen_at = now(), text = f.text, detail = f.detail, next_step = f.next_step,
        run_id = f.run_id
    FROM found f
    WHERE a.resolved_at IS NULL AND f.cause = a.cause AND f.workspace = a.workspace AND f.subject = a.subject
)
INSERT INTO alert (cause, workspace, subject, text, detail, next_step, run_id)
SELECT cause, workspace, subject, text, detail, next_step, run_id FROM found
ON CONFLICT (cause, workspace, subject) WHERE resolved_at IS NULL DO NOTHING
RETURNING cause, workspace, text, detail;
