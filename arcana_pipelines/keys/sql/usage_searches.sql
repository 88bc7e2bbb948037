-- How many searches were answered to a key and to those that it was rotated from or into: together they are one key's.
-- in: key_id, since
-- out: the number
WITH RECURSIVE family AS (
    SELECT k.key_id, k.rotated_from FROM api_keys k WHERE k.key_id = %(key_id)s
    UNION
    SELECT k.key_id, k.rotated_from
    FROM api_keys k
    JOIN family f ON k.key_id = f.rotated_from OR k.rotated_from = f.key_id
)
SELECT coalesce(sum(u.requests), 0)::integer
FROM api_usage_logs u
WHERE u.key_id = ANY (ARRAY(SELECT key_id FROM family)) AND u.at >= %(since)s AND u.action = 'search' AND u.status = 200;
