-- A sweep has proven nothing. The next one begins later, the later the more of them ended so.
-- in: workspace_id, began_at, problem, least_seconds, most_seconds
-- out: nothing
WITH ended AS (
    UPDATE source_sweep SET
        next_at = greatest(next_at, now() + make_interval(
            secs => least(%(most_seconds)s, %(least_seconds)s * power(2, least(ended_in_vain, 20))))),
        began_at = NULL, place = NULL, container = NULL, looked = '{}', problem = %(problem)s,
        ended_in_vain = ended_in_vain + 1
    WHERE workspace_id = %(workspace_id)s AND began_at = %(began_at)s
    RETURNING workspace_id
), forgotten AS (
    DELETE FROM unlisted_page u USING ended WHERE u.workspace_id = ended.workspace_id AND u.is_gone AND NOT u.is_missed
)
DELETE FROM source_sweep_answer a USING ended WHERE a.workspace_id = ended.workspace_id;
