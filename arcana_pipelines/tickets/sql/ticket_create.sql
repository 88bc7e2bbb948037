-- Make a ticket that no source has.
-- in: company_id, platform, ticket_id, fields (what is known of it, by column)
-- out: id; no row where the company has, or had, one of this number
INSERT INTO tickets (
    company_id, platform, ticket_id, title, description, status, priority, requester_email, requester_name,
    assignee_email, assignee_name, tags, custom_fields, summary, is_processed, content_hash)
SELECT %(company_id)s, %(platform)s, %(ticket_id)s, f.title, f.description, coalesce(f.status, ''),
       coalesce(f.priority, ''), f.requester_email, f.requester_name, f.assignee_email, f.assignee_name,
       coalesce(f.tags, '[]'), coalesce(f.custom_fields, '{}'), f.summary, coalesce(f.is_processed, false),
       sha256(convert_to(jsonb_build_array(f.title, f.description, NULL)::text, 'UTF8'))
FROM (
    SELECT coalesce(given.title, '') AS title, coalesce(given.description, '') AS description, given.status,
           given.priority, given.requester_email, given.requester_name, given.assignee_email, given.assignee_name,
           given.tags, given.custom_fields, given.summary, given.is_processed
    FROM jsonb_populate_record(NULL::tickets, %(fields)s) AS given
) f
ON CONFLICT (company_id, platform, ticket_id) DO NOTHING
RETURNING id;
