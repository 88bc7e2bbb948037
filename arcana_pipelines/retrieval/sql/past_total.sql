-- How many chunks were seen at a time.
-- in: chunks (table)
-- out: number
SELECT count(*) FROM {chunks} k;
