-- Pages of which a listing says nothing that can be used: they are there, and in quarantine until it does. What is
-- known of them from before stays; without a revision the next proper listing counts as news.
-- in: workspace_id, generation, pages (JSON: external_id, kind, is_container, is_internal, comes_with, reason)
-- out: nothing
WITH unclear AS (
    SELECT * FROM json_to_recordset(%(pages)s::json) AS t(
        external_id text, kind text, is_container boolean, is_internal boolean, comes_with text, reason text)
)
INSERT INTO source_page AS held (
    workspace_id, external_id, kind, is_container, parent_kind, title, properties, revision,
    last_edited_at, is_internal, comes_with, state, reason, attempts, seen_generation)
SELECT %(workspace_id)s, external_id, kind, is_container, 'workspace', '', '{}', '', to_timestamp(0),
       is_internal, comes_with, CASE WHEN is_container THEN 'skipped' ELSE 'quarantined' END, reason, 1, %(generation)s
FROM unclear
ON CONFLICT (workspace_id, external_id) DO UPDATE SET
    revision = '',
    metadata_hash = NULL,
    -- The body of what came with a page is stored all the same: nobody may see it for that.
    is_internal = held.is_internal OR excluded.is_internal,
    state = excluded.state,
    reason = excluded.reason,
    attempts = held.attempts + 1,
    next_attempt_at = NULL,
    outcome = NULL,
    seen_generation = excluded.seen_generation;
