-- How many searches were answered to all keys of a company.
-- in: company_id, since
-- out: searches
SELECT coalesce(sum(requests), 0)::integer AS searches
FROM api_usage_logs
WHERE company_id = %(company_id)s AND at >= %(since)s AND action = 'search' AND status = 200 AND NOT is_further;
