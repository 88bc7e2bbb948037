-- End a session of the page for every server, and forget those whose time has come: their cookies say so themselves.
-- in: session_hash, ends_at (when the session ends by itself)
-- out: nothing
WITH forgotten AS (
    DELETE FROM ended_sessions WHERE ends_at <= now()
)
INSERT INTO ended_sessions (session_hash, ends_at) VALUES (%(session_hash)s, %(ends_at)s) ON CONFLICT DO NOTHING;
