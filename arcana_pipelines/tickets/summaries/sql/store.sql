-- Keep a summary. One of a content that has changed meanwhile is kept, too: it is newer than what was there.
-- in: ticket_id, summary (JSON), of (hash of the content that it was made of)
-- out: nothing
UPDATE tickets SET
    summary = %(summary)s::jsonb || jsonb_build_object(
        'of', encode(%(of)s, 'hex'),
        'made_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
    is_processed = content_hash IS NOT DISTINCT FROM %(of)s
WHERE id = %(ticket_id)s;
