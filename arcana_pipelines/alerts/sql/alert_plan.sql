-- Who is to be told of each open alert. What is no longer wanted and was never sent is withdrawn.
-- in: wanted (JSON array of {alert_id, receiver})
-- out: nothing
WITH wanted AS (
    SELECT * FROM json_to_recordset(%(wanted)s::json) AS t(alert_id bigint, receiver text)
), withdrawn AS (
    DELETE FROM alert_delivery d USING alert a
    WHERE a.alert_id = d.alert_id AND a.resolved_at IS NULL AND d.told_at IS NULL AND d.unanswered_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.alert_id = d.alert_id AND w.receiver = d.receiver)
)
INSERT INTO alert_delivery (alert_id, receiver)
SELECT w.alert_id, w.receiver FROM wanted w JOIN alert a USING (alert_id)
WHERE a.resolved_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM alert_delivery d WHERE d.alert_id = w.alert_id AND d.receiver = w.receiver)
ON CONFLICT DO NOTHING;
