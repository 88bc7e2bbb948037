-- One event for every workspace that reads this source workspace; they become the next to be looked at.
-- in: source_workspace_id, event_id, event_type, external_id (of the page, or NULL), occurred_at
-- out: how many workspaces it concerns
WITH concerned AS (
    SELECT workspace_id FROM workspace
    WHERE source_workspace_id = %(source_workspace_id)s AND status <> 'deleting'
), noted AS (
    INSERT INTO webhook_event (workspace_id, event_id, event_type, external_id, occurred_at)
    SELECT workspace_id, %(event_id)s, %(event_type)s, %(external_id)s, %(occurred_at)s FROM concerned
    ON CONFLICT (workspace_id, event_id) DO NOTHING
    RETURNING workspace_id
), next AS (
    UPDATE workspace w SET polled_at = NULL, poll_after = NULL FROM noted WHERE w.workspace_id = noted.workspace_id
)
SELECT count(*) FROM concerned;
