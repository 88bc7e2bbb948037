-- Pages that could not be read or processed: each keeps its own retry. The first two tries are the next
-- syncs, then the pauses grow; after the ninth only an edit or a person brings the page back.
-- in: workspace_id, generation, taken_up (true: they count as pages of this generation), pages (JSON: external_id,
--     reason)
-- out: nothing
WITH failed AS (
    SELECT * FROM json_to_recordset(%(pages)s::json) AS t(external_id text, reason text)
)
UPDATE source_page p SET
    state = 'quarantined',
    reason = failed.reason,
    attempts = p.attempts + 1,
    next_attempt_at = CASE
        WHEN p.attempts < 2 THEN now()
        WHEN p.attempts < 8 THEN now() + interval '1 minute' * power(4, p.attempts - 2)
    END,
    seen_generation = CASE WHEN %(taken_up)s THEN %(generation)s ELSE p.seen_generation END
FROM failed
WHERE p.workspace_id = %(workspace_id)s AND p.external_id = failed.external_id;
