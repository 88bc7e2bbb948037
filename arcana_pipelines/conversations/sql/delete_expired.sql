-- Conversations that are over, with all their turns.
-- in: nothing
-- out: how many conversations
WITH deleted AS (
    DELETE FROM conversation_context WHERE expires_at <= now() RETURNING turn
)
SELECT count(*) FILTER (WHERE turn = 0) FROM deleted;
