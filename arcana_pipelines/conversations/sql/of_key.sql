-- A conversation that is not over, for the key that began it and those that it was rotated from or into.
-- in: conversation_id, key_id (of who asks; one that logged in elsewhere stands in no table)
-- out: its beginning (turn 0), and its turns in their order
WITH RECURSIVE family AS (
    SELECT asked.key_id, k.rotated_from
    FROM (SELECT %(key_id)s::text AS key_id) asked
    LEFT JOIN api_keys k USING (key_id)
    UNION
    SELECT k.key_id, k.rotated_from
    FROM api_keys k
    JOIN family f ON k.key_id = f.rotated_from OR k.rotated_from = f.key_id
)
SELECT c.workspace_id, w.slug AS workspace, c.index_name, c.expires_at, c.turn, c.question, c.asked_at, c.asked_after
FROM conversation_context c
JOIN workspace w USING (workspace_id)
WHERE c.conversation_id = %(conversation_id)s AND c.expires_at > now() AND w.status <> 'deleting'
  AND c.key_id = ANY (ARRAY(SELECT key_id FROM family))
ORDER BY c.turn;
