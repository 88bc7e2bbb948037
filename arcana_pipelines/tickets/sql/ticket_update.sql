-- Change a ticket. Times are the source's, where it has one. A summary is of a content: `records_store.sql` says which.
-- in: wanted (conditions, with what they take), ticket_id (of the source), id (ours; null: what was asked for is none),
--     changes (by column)
-- out: id; no row where there is no such ticket
WITH held AS MATERIALIZED (
    SELECT t FROM tickets t
    WHERE {wanted} AND t.removed_at IS NULL AND (t.ticket_id = %(ticket_id)s OR t.id = %(id)s)
    ORDER BY (t.ticket_id = %(ticket_id)s) DESC
    LIMIT 1
    FOR UPDATE
)
UPDATE tickets held_now SET
    title = c.title, description = c.description, status = c.status, priority = c.priority,
    requester_email = c.requester_email, requester_name = c.requester_name,
    assignee_email = c.assignee_email, assignee_name = c.assignee_name,
    tags = c.tags, custom_fields = c.custom_fields, summary = c.summary, content_hash = h.content_hash,
    is_processed = CASE WHEN %(changes)s::jsonb ? 'is_processed' THEN c.is_processed
                        ELSE c.is_processed AND c.content_hash IS NOT DISTINCT FROM h.content_hash END,
    updated_at = CASE WHEN c.workspace_id IS NULL THEN now() ELSE c.updated_at END
FROM held
CROSS JOIN LATERAL jsonb_populate_record(held.t, %(changes)s::jsonb) AS c
CROSS JOIN LATERAL (
    SELECT sha256(convert_to(jsonb_build_array(c.title, c.description, (
        SELECT jsonb_agg(jsonb_build_array(m.author_type, m.content) ORDER BY m.created_at, m.conversation_id)
        FROM conversations m WHERE m.ticket_id = c.id AND m.message_type <> 'private'
    ))::text, 'UTF8')) AS content_hash
) h
WHERE held_now.id = c.id
RETURNING held_now.id;
