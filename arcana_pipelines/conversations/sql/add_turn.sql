-- A further turn of a conversation that is not over; the oldest go where there are too many.
-- in: conversation_id, question, asked_after (the number of the last turn before it), most (turns that are kept)
-- out: nothing
WITH added AS (
    INSERT INTO conversation_context
        (conversation_id, turn, company_id, workspace_id, index_name, key_id, question, asked_after, expires_at)
    SELECT b.conversation_id,
           1 + (SELECT max(c.turn) FROM conversation_context c WHERE c.conversation_id = b.conversation_id),
           b.company_id, b.workspace_id, b.index_name, b.key_id, %(question)s, %(asked_after)s, b.expires_at
    FROM conversation_context b
    WHERE b.conversation_id = %(conversation_id)s AND b.turn = 0 AND b.expires_at > now()
    RETURNING conversation_id, turn
)
DELETE FROM conversation_context c USING added a
WHERE c.conversation_id = a.conversation_id AND c.turn BETWEEN 1 AND a.turn - %(most)s;
