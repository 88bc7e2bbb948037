-- Note that no summary could be made of a ticket as it is, and until when nobody tries again.
-- in: ticket_id, claim, reason, seconds
-- out: true; no row: the ticket was taken by another process meanwhile
UPDATE summary_attempt SET
    state = 'failed', reason = %(reason)s, reserved_tokens = 0, ends_at = now() + make_interval(secs => %(seconds)s)
WHERE ticket_id = %(ticket_id)s AND claim = %(claim)s AND state = 'under_way'
RETURNING true;
