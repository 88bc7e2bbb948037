-- Write tickets that were read into their tables, with their messages. One that was only listed anew, or is back, keeps
-- what was read of it.
-- in: workspace_id, pages (external_id of each that was just processed)
-- out: external_id of each whose ticket belongs to another workspace of the company
WITH page AS (
    SELECT p.external_id, p.document_id, p.title, p.properties, p.record, w.workspace_id, w.company_id, w.platform
    FROM source_page p JOIN workspace w USING (workspace_id)
    WHERE p.workspace_id = %(workspace_id)s AND p.external_id = ANY(%(pages)s) AND p.kind = 'ticket'
      AND p.document_id IS NOT NULL
), read AS (
    SELECT page.*, r.*,
           sha256(convert_to(jsonb_build_array(page.title, r.description, (
               SELECT jsonb_agg(jsonb_build_array(m->>'author_type', m->>'content')
                                ORDER BY (m->>'created_at')::timestamptz, m->>'conversation_id')
               FROM jsonb_array_elements(r.conversations) AS m WHERE m->>'message_type' <> 'private'
           ))::text, 'UTF8')) AS content_hash
    FROM page, jsonb_to_record(page.record) AS r(
        ticket_id text, description text, status text, priority text, requester_email text, requester_name text,
        assignee_email text, assignee_name text, tags jsonb, custom_fields jsonb, conversations jsonb,
        created_at timestamptz, updated_at timestamptz)
    WHERE page.record IS NOT NULL
), stored AS (
    INSERT INTO tickets AS held (
        company_id, platform, workspace_id, document_id, ticket_id, title, description, status, priority,
        requester_email, requester_name, assignee_email, assignee_name, tags, custom_fields, created_at, updated_at,
        content_hash)
    SELECT company_id, platform, workspace_id, document_id, ticket_id, title, description, status, priority,
           requester_email, requester_name, assignee_email, assignee_name, tags, custom_fields, created_at, updated_at,
           content_hash
    FROM read
    ON CONFLICT (company_id, platform, ticket_id) DO UPDATE SET
        workspace_id = excluded.workspace_id, document_id = excluded.document_id, title = excluded.title,
        description = excluded.description, status = excluded.status, priority = excluded.priority,
        requester_email = excluded.requester_email, requester_name = excluded.requester_name,
        assignee_email = excluded.assignee_email, assignee_name = excluded.assignee_name,
        tags = excluded.tags, custom_fields = excluded.custom_fields,
        created_at = excluded.created_at, updated_at = excluded.updated_at, removed_at = NULL,
        content_hash = excluded.content_hash,
        -- A summary is of a content.
        is_processed = held.is_processed AND held.content_hash IS NOT DISTINCT FROM excluded.content_hash
    WHERE held.workspace_id = excluded.workspace_id OR held.workspace_id IS NULL
    RETURNING id, ticket_id
), message AS (
    SELECT stored.id AS ticket, read.company_id, read.platform, m.*
    FROM stored JOIN read USING (ticket_id),
    jsonb_to_recordset(read.conversations) AS m(
        conversation_id text, content text, message_type text, author_email text, author_name text, author_type text,
        attachments jsonb, created_at timestamptz)
), lost AS (
    DELETE FROM conversations c USING stored
    WHERE c.ticket_id = stored.id
      AND NOT EXISTS (SELECT FROM message m WHERE m.ticket = c.ticket_id AND m.conversation_id = c.conversation_id)
), messages AS (
    INSERT INTO conversations AS held (
        company_id, platform, ticket_id, conversation_id, content, message_type, author_email, author_name, author_type,
        attachments, created_at)
    SELECT company_id, platform, ticket, conversation_id, content, message_type, author_email, author_name, author_type,
           attachments, created_at
    FROM message
    ON CONFLICT (ticket_id, conversation_id) DO UPDATE SET
        content = excluded.content, message_type = excluded.message_type, author_email = excluded.author_email,
        author_name = excluded.author_name, author_type = excluded.author_type, attachments = excluded.attachments,
        created_at = excluded.created_at
    WHERE (held.content, held.message_type, held.author_email, held.author_name, held.author_type, held.attachments,
           held.created_at)
          IS DISTINCT FROM (excluded.content, excluded.message_type, excluded.author_email, excluded.author_name,
                            excluded.author_type, excluded.attachments, excluded.created_at)
), listed AS (
    UPDATE tickets t SET
        title = page.title,
        status = coalesce(page.properties->'Status'->>'text', t.status),
        priority = coalesce(page.properties->'Priority'->>'text', t.priority),
        removed_at = NULL
    FROM page WHERE t.document_id = page.document_id AND page.record IS NULL
), kept AS (
    UPDATE source_page p SET record = NULL
    FROM read JOIN stored USING (ticket_id)
    WHERE p.workspace_id = %(workspace_id)s AND p.external_id = read.external_id
)
SELECT external_id FROM read WHERE ticket_id NOT IN (SELECT ticket_id FROM stored);
