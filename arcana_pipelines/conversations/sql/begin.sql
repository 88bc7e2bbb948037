-- A conversation's beginning.
-- in: company_id, workspace_id, index, key_id, days (that it lasts)
-- out: conversation_id, expires_at
INSERT INTO conversation_context (conversation_id, turn, company_id, workspace_id, index_name, key_id, expires_at)
VALUES (gen_random_uuid(), 0, %(company_id)s, %(workspace_id)s, %(index)s, %(key_id)s,
        now() + make_interval(days => %(days)s))
RETURNING conversation_id, expires_at;
