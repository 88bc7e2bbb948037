-- How many searches were answered to a key and to those that it was rotated from or into: together they are one key's.
-- in: key_id, since
-- out: family (the ids of these keys), searches
SELECT family.key_ids AS family, coalesce(sum(u.requests), 0)::integer AS searches
FROM (SELECT ARRAY(SELECT key_family(%(key_id)s)) AS key_ids) family
LEFT JOIN api_usage_logs u
    ON u.key_id = ANY (family.key_ids) AND u.at >= %(since)s AND u.action = 'search' AND u.status = 200
        AND NOT u.is_further
GROUP BY family.key_ids;
