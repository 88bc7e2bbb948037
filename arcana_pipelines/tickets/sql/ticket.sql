-- One ticket, without its messages.
-- in: wanted (conditions, with what they take), ticket_id (of the source), id (ours; null: what was asked for is none)
-- out: id, ticket_id, workspace (slug; null: made here), title, status, priority, requester_email,
--      requester_name, assignee_email, assignee_name, tags, is_processed, created_at, updated_at, description,
--      custom_fields, summary, document_id
SELECT t.id, t.ticket_id,
       (SELECT w.slug FROM workspace w WHERE w.workspace_id = t.workspace_id) AS workspace,
       t.title, t.status, t.priority, t.requester_email, t.requester_name, t.assignee_email, t.assignee_name,
       t.tags, t.is_processed, t.created_at, t.updated_at, t.description, t.custom_fields, t.summary, t.document_id
FROM tickets t
WHERE {wanted} AND t.removed_at IS NULL AND (t.ticket_id = %(ticket_id)s OR t.id = %(id)s)
ORDER BY (t.ticket_id = %(ticket_id)s) DESC
LIMIT 1;
