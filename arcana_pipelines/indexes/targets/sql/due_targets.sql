-- The targets to which something is to be delivered, and that may be tried now. What waits is looked for, not counted.
-- in: has_work (the expression)
-- out: index_target_id
SELECT t.index_target_id
FROM index_target t
JOIN rag_indexes i USING (rag_index_id)
JOIN workspace w ON w.workspace_id = t.workspace_id
WHERE w.status = 'active'
  -- Nothing is put off for longer than some minutes: a clock that was set back put off the rest.
  AND (t.next_attempt_at IS NULL OR t.next_attempt_at NOT BETWEEN now() AND now() + interval '10 minutes')
  AND {has_work};
