-- Count what a ticket has used towards today (UTC).
-- in: workspace_id, model, requests, input_tokens, output_tokens, seconds
-- out: nothing
INSERT INTO summary_usage AS held (workspace_id, day, model, requests, input_tokens, output_tokens, seconds)
VALUES (%(workspace_id)s, (now() AT TIME ZONE 'UTC')::date, %(model)s, %(requests)s, %(input_tokens)s,
        %(output_tokens)s, %(seconds)s)
ON CONFLICT (workspace_id, day, model) DO UPDATE SET
    requests = held.requests + excluded.requests,
    input_tokens = held.input_tokens + excluded.input_tokens,
    output_tokens = held.output_tokens + excluded.output_tokens,
    seconds = held.seconds + excluded.seconds;
