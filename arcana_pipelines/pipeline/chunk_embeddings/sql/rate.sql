-- The best rate in tokens a second at which a model has answered lately; NULL: there was too little to tell. Months
-- of single edits say little about a backfill, so the best month of any workspace counts.
-- in: model
-- out: tokens a second, or NULL
SELECT max(tokens / nullif(seconds, 0))
FROM embedding_usage
WHERE embedding_model = %(model)s AND tier = 'standard' AND tokens >= 100000
  AND month >= date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month';
