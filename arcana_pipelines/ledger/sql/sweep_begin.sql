-- Begin a sweep where none is under way, or where the source was listed whole since the running one began: that has
-- proven more than it can.
-- in: workspace_id
-- out: nothing
WITH begun AS (
    UPDATE source_sweep s SET
        began_at = now(), generation = w.generation, stage = 'pages', container = NULL, place = NULL,
        answers = 0, idle = 0, looked = '{}', gone = 0, failures = 0
    FROM workspace w
    WHERE s.workspace_id = %(workspace_id)s AND w.workspace_id = s.workspace_id AND s.next_at <= now()
      AND (s.began_at IS NULL
           OR EXISTS (SELECT 1 FROM sync_generation g
                      WHERE g.workspace_id = s.workspace_id AND g.generation > s.generation
                        AND g.mode <> 'incremental' AND g.listing_complete))
    RETURNING s.workspace_id
), forgotten AS (
    DELETE FROM unlisted_page u USING begun WHERE u.workspace_id = begun.workspace_id AND u.is_gone AND NOT u.is_missed
)
DELETE FROM source_sweep_answer a USING begun WHERE a.workspace_id = begun.workspace_id;
