-- Tokens a second at which a model has answered this installation, this month and the last; NULL: never.
SELECT sum(tokens) / nullif(sum(seconds), 0)
FROM embedding_usage
WHERE embedding_model = %(model)s AND tier = 'standard'
  AND month >= date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month';
