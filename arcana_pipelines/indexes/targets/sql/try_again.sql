-- Documents that a store refused too often are tried once more.
-- in: index_target_id
-- out: nothing
UPDATE sync_operations SET parked_reason = NULL
WHERE index_target_id = %(index_target_id)s AND parked_reason IS NOT NULL;
