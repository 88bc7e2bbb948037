-- Take a ticket, and keep the tokens that it may need of the day's budget (UTC), unless they do not fit into what is left
-- of it. The caller holds the workspace's lock.
-- in: ticket_id, workspace_id, claim, content_hash, model, prompt_version, tokens, budget, seconds (until others may take
--     the ticket)
-- out: true; no row: they do not fit
INSERT INTO summary_attempt AS held (
    ticket_id, workspace_id, claim, state, content_hash, model, prompt_version, reserved_tokens, ends_at)
SELECT %(ticket_id)s, %(workspace_id)s, %(claim)s, 'under_way', %(content_hash)s, %(model)s, %(prompt_version)s,
       %(tokens)s, now() + make_interval(secs => %(seconds)s)
WHERE %(tokens)s
      + (SELECT coalesce(sum(u.input_tokens + u.output_tokens), 0) FROM summary_usage u
         WHERE u.workspace_id = %(workspace_id)s AND u.day = (now() AT TIME ZONE 'UTC')::date)
      + (SELECT coalesce(sum(a.reserved_tokens), 0) FROM summary_attempt a
         WHERE a.workspace_id = %(workspace_id)s AND a.state = 'under_way')
      <= %(budget)s
ON CONFLICT (ticket_id) DO UPDATE SET
    workspace_id = excluded.workspace_id, claim = excluded.claim, state = excluded.state,
    content_hash = excluded.content_hash, model = excluded.model, prompt_version = excluded.prompt_version,
    reserved_tokens = excluded.reserved_tokens, ends_at = excluded.ends_at, reason = NULL
RETURNING true;
