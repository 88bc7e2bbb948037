-- A sweep has seen everything: what it found gone is for the next sync, all of it at once, so that the cap on mass removal
-- holds. The next sweep begins when the least interval since this one's beginning is over.
-- in: workspace_id, least_seconds
-- out: nothing
WITH ended AS (
    UPDATE source_sweep SET
        whole_began_at = began_at, whole_ended_at = now(), whole_requests = answers + cardinality(looked),
        next_at = greatest(next_at, began_at + make_interval(secs => %(least_seconds)s)),
        began_at = NULL, place = NULL, container = NULL, looked = '{}', problem = NULL, ended_in_vain = 0
    WHERE workspace_id = %(workspace_id)s AND began_at IS NOT NULL
    RETURNING workspace_id
), missed AS (
    UPDATE unlisted_page u SET is_missed = true FROM ended
    WHERE u.workspace_id = ended.workspace_id AND u.is_gone AND NOT u.is_missed
)
DELETE FROM source_sweep_answer a USING ended WHERE a.workspace_id = ended.workspace_id;
