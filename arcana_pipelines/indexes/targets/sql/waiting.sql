-- How many documents wait for a target, and how many it refuses.
-- in: index_target_id
-- out: waiting, parked
SELECT count(*) FILTER (WHERE parked_reason IS NULL) AS waiting,
       count(*) FILTER (WHERE parked_reason IS NOT NULL) AS parked
FROM sync_operations
WHERE index_target_id = %(index_target_id)s;
