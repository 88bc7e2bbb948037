-- How many chunks were seen at a time.
SELECT count(*) FROM {chunks} k;
