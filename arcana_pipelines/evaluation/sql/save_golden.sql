-- The kept golden questions become these; one that stays keeps its time.
-- in: workspace_id, questions (JSON: query, relevant)
-- out: nothing
WITH given AS (
    SELECT * FROM json_to_recordset(%(questions)s::json) AS t(query text, relevant jsonb)
), gone AS (
    DELETE FROM golden_question g
    WHERE g.workspace_id = %(workspace_id)s AND NOT EXISTS (SELECT 1 FROM given WHERE given.query = g.query)
)
INSERT INTO golden_question (workspace_id, query, relevant)
SELECT %(workspace_id)s, query, relevant FROM given
ON CONFLICT (workspace_id, query) DO UPDATE SET relevant = excluded.relevant;
