-- A conversation that is not over, for the key that began it and those that it was rotated from or into.
-- in: conversation_id, key_id (of who asks; one that logged in elsewhere stands in no table)
-- out: its beginning (turn 0), and its turns in their order
SELECT c.workspace_id, w.platform, w.slug AS workspace, c.index_name, c.expires_at, c.turn, c.question, c.asked_at, c.asked_after
FROM conversation_context c
JOIN workspace w USING (workspace_id)
WHERE c.conversation_id = %(conversation_id)s AND c.expires_at > now() AND w.status <> 'deleting'
  AND c.key_id = ANY (ARRAY(SELECT key_family(%(key_id)s)))
ORDER BY c.turn;
