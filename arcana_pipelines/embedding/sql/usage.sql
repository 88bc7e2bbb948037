-- Count what was just embedded towards the running month (UTC).
-- in: workspace_id, model, tier (standard or batch), texts (number), tokens (number), cost (US dollars),
--     seconds (that the request took)
-- out: nothing
INSERT INTO embedding_usage (workspace_id, month, embedding_model, tier, texts, tokens, cost, seconds)
VALUES (%(workspace_id)s, date_trunc('month', now() AT TIME ZONE 'UTC'), %(model)s, %(tier)s, %(texts)s, %(tokens)s,
        %(cost)s, %(seconds)s)
ON CONFLICT (workspace_id, month, embedding_model, tier) DO UPDATE SET
    texts = embedding_usage.texts + excluded.texts,
    tokens = embedding_usage.tokens + excluded.tokens,
    cost = embedding_usage.cost + excluded.cost,
    seconds = embedding_usage.seconds + excluded.seconds;
