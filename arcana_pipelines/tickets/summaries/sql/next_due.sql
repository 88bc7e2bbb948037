-- The next ticket, newest first, whose summary is missing, not wanted any more or of another content, model or prompt,
-- and that nobody works on and that has not failed lately as it is. Of its messages those that customers see.
-- in: workspace_id, model, prompt_version, after_updated, after_id (the ticket before it; NULL: from the newest),
--     most (characters of one message)
-- out: the fields of Due in claims.py; no row: there is none
WITH due AS (
    SELECT t.id, t.title, t.description, t.content_hash, t.updated_at, t.created_at
    FROM workspace w
    JOIN tickets t ON t.company_id = w.company_id AND t.platform = w.platform AND t.workspace_id = w.workspace_id
    LEFT JOIN summary_attempt a ON a.ticket_id = t.id
    WHERE w.workspace_id = %(workspace_id)s AND t.removed_at IS NULL AND t.content_hash IS NOT NULL
      AND (%(after_updated)s::timestamptz IS NULL OR t.updated_at < %(after_updated)s
           OR (t.updated_at = %(after_updated)s AND t.id > %(after_id)s))
      AND (NOT t.is_processed OR t.summary IS NULL
           OR (t.summary->>'of', t.summary->>'model', t.summary->>'prompt_version')
              IS DISTINCT FROM (encode(t.content_hash, 'hex'), %(model)s, %(prompt_version)s::text))
      AND (a.ticket_id IS NULL
           OR (a.state = 'failed'
               AND (a.ends_at <= now()
                    OR (a.content_hash, a.model, a.prompt_version)
                       IS DISTINCT FROM (t.content_hash, %(model)s, %(prompt_version)s))))
    ORDER BY t.updated_at DESC, t.id
    LIMIT 1
)
SELECT due.id, due.title, left(due.description, %(most)s) AS description, due.content_hash, due.updated_at,
       coalesce(
           (SELECT jsonb_agg(jsonb_build_array(c.author_type, left(c.content, %(most)s))
                             ORDER BY c.created_at, c.conversation_id)
            FROM conversations c WHERE c.ticket_id = due.id AND c.message_type IN ('public', 'note')), '[]'
       ) AS messages
FROM due;
