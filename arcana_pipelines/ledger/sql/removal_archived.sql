-- Suspects that the source does not let anybody look at any more: those that nobody has touched for long are archived.
-- in: workspace_id, generation, ids, source_now (or NULL), archived_after (interval)
-- out: external_id of each that is
UPDATE source_page SET
    is_archived = true, attempts = 0, next_attempt_at = NULL, reason = NULL, seen_generation = %(generation)s,
    state = CASE WHEN fetched_revision = revision THEN 'fetched' ELSE 'pending' END
WHERE workspace_id = %(workspace_id)s AND external_id = ANY(%(ids)s) AND state = 'suspect'
  AND last_edited_at <= coalesce(%(source_now)s::timestamptz, now()) - %(archived_after)s::interval
RETURNING external_id;
