-- A further turn of a conversation that is not over; the oldest go where there are too many. Whoever knows how far it was
-- from elsewhere (is_kept) adds to it only if that is what `of_key` would say now. Rows stay as they are, and new ones come
-- behind: with the same last one and as many, they are the same.
-- in: conversation_id, question, asked_after (the number of the last turn before it), most (turns that are kept), is_kept,
--     key_id (of who asks; this and the following NULL where it is not), workspace (its slug), turn, asked_at (of the last
--     row), rows (how many)
-- out: turn and asked_at of the new one; nothing where none was added
WITH added AS (
    INSERT INTO conversation_context
        (conversation_id, turn, company_id, workspace_id, index_name, key_id, question, asked_after, expires_at)
    SELECT b.conversation_id, 1 + last.turn, b.company_id, b.workspace_id, b.index_name, b.key_id, %(question)s,
           %(asked_after)s, b.expires_at
    FROM conversation_context b
    CROSS JOIN LATERAL (
        SELECT c.turn, c.asked_at, count(*) OVER () AS rows
        FROM conversation_context c
        WHERE c.conversation_id = b.conversation_id
        ORDER BY c.turn DESC
        LIMIT 1
    ) last
    WHERE b.conversation_id = %(conversation_id)s AND b.turn = 0 AND b.expires_at > now()
      AND (NOT %(is_kept)s
           OR (last.turn, last.asked_at, last.rows) = (%(turn)s::int, %(asked_at)s::timestamptz, %(rows)s::bigint)
              AND b.key_id = ANY (ARRAY(SELECT key_family(%(key_id)s)))
              AND EXISTS (SELECT FROM workspace w
                          WHERE w.workspace_id = b.workspace_id AND w.slug = %(workspace)s AND w.status <> 'deleting'))
    RETURNING conversation_id, turn, asked_at
), dropped AS (
    DELETE FROM conversation_context c USING added a
    WHERE c.conversation_id = a.conversation_id AND c.turn BETWEEN 1 AND a.turn - %(most)s
)
SELECT turn, asked_at FROM added;
