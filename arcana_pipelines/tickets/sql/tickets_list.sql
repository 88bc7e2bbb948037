-- Tickets without their texts, those that changed last first.
-- in: wanted (conditions, with what they take), most, offset
-- out: id, ticket_id, workspace (slug; null: made here), title, status, priority, requester_email, requester_name,
--      assignee_email, assignee_name, tags, is_processed, created_at, updated_at
SELECT t.id, t.ticket_id, (SELECT w.slug FROM workspace w WHERE w.workspace_id = t.workspace_id) AS workspace,
       t.title, t.status, t.priority, t.requester_email, t.requester_name, t.assignee_email, t.assignee_name,
       t.tags, t.is_processed, t.created_at, t.updated_at
FROM tickets t
WHERE {wanted} AND t.removed_at IS NULL
ORDER BY t.updated_at DESC, t.id
LIMIT %(most)s OFFSET %(offset)s;
