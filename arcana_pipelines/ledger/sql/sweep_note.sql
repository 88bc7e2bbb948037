-- Note what an answer has shown, unless another process was quicker. A page that is shown is none that no listing shows;
-- one that was handed to a sync already is that one's.
-- in: workspace_id, began_at, answers (noted before this one), ids, place (where the listing goes on; NULL: its end)
-- out: so many answers in a row that showed nothing new; no row: another process was quicker
WITH noted AS (
    UPDATE source_sweep s SET
        answers = s.answers + 1,
        place = %(place)s::text,
        failures = 0,
        idle = CASE WHEN EXISTS (
            SELECT 1 FROM unnest(%(ids)s::text[]) AS shown(external_id)
            WHERE NOT EXISTS (SELECT 1 FROM source_sweep_answer a
                              WHERE a.workspace_id = s.workspace_id AND shown.external_id = ANY (a.ids)))
            THEN 0 ELSE s.idle + 1 END
    WHERE s.workspace_id = %(workspace_id)s AND s.began_at = %(began_at)s AND s.answers = %(answers)s
    RETURNING s.workspace_id, s.answers, s.idle
), kept AS (
    INSERT INTO source_sweep_answer (workspace_id, answer, ids)
    SELECT workspace_id, answers, %(ids)s::text[] FROM noted
), listed AS (
    DELETE FROM unlisted_page u USING noted
    WHERE u.workspace_id = noted.workspace_id AND u.external_id = ANY (%(ids)s::text[]) AND NOT u.is_missed
)
SELECT idle FROM noted;
