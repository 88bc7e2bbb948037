-- Let go of tickets whose process was killed, or of those of one process that ends early. What they had reserved counts as
-- used: nobody knows what was answered.
-- in: workspace_id, claim (NULL: of whatever process, those whose time is over)
-- out: nothing
WITH lost AS (
    DELETE FROM summary_attempt
    WHERE workspace_id = %(workspace_id)s AND state = 'under_way'
      AND CASE WHEN %(claim)s::uuid IS NULL THEN ends_at <= now() ELSE claim = %(claim)s END
    RETURNING model, reserved_tokens
)
INSERT INTO summary_usage AS held (workspace_id, day, model, requests, input_tokens, output_tokens, seconds)
SELECT %(workspace_id)s, (now() AT TIME ZONE 'UTC')::date, model, count(*), sum(reserved_tokens), 0, 0
FROM lost GROUP BY model
ON CONFLICT (workspace_id, day, model) DO UPDATE SET
    requests = held.requests + excluded.requests, input_tokens = held.input_tokens + excluded.input_tokens;
