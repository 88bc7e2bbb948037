-- The messages of a ticket in their order; private ones in the workspaces where they may be seen.
-- in: id (of the ticket), everywhere, workspaces (ids)
-- out: conversation_id, message_type, author_type, author_name, author_email, content, attachments, created_at
SELECT c.conversation_id, c.message_type, c.author_type, c.author_name, c.author_email, c.content, c.attachments,
       c.created_at
FROM conversations c JOIN tickets t ON t.id = c.ticket_id
WHERE c.ticket_id = %(id)s
  AND (c.message_type <> 'private' OR %(everywhere)s OR t.workspace_id = ANY (%(workspaces)s))
ORDER BY c.created_at, c.conversation_id;
