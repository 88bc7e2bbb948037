-- Take the turn for one request, unless it is too soon for the token or for the workspace. Those workspaces of a token that
-- sweep divide its share among them; what was not asked while nobody looked may be made up for, five requests of it.
-- in: workspace_id, share (of the token's requests), default_per_minute (where nothing limits them)
-- out: the fields of Sweep; no row: it is too soon, or none is under way
WITH mine AS (
    SELECT w.workspace_id, w.credential_hash, w.platform FROM workspace w JOIN source_sweep s USING (workspace_id)
    WHERE w.workspace_id = %(workspace_id)s AND s.began_at IS NOT NULL AND s.next_at <= now()
), pace AS (
    SELECT make_interval(secs => 60.0 / (%(share)s * coalesce(
               (SELECT nullif(l.per_minute, 0) FROM source_limit l
                WHERE l.credential_hash = mine.credential_hash AND l.configured > 0),
               %(default_per_minute)s))) AS of_token,
           (SELECT greatest(1, count(*)) FROM workspace w JOIN source_sweep s USING (workspace_id)
            WHERE w.status = 'active' AND w.platform = mine.platform
              AND w.credential_hash IS NOT DISTINCT FROM mine.credential_hash
              AND (s.began_at IS NOT NULL OR s.next_at <= now())) AS sweeping
    FROM mine
), allowed AS (
    UPDATE source_limit l SET sweep_at = greatest(l.sweep_at, now() - 5 * pace.of_token) + pace.of_token
    FROM mine, pace
    WHERE l.credential_hash = mine.credential_hash AND (l.sweep_at IS NULL OR l.sweep_at <= now())
    RETURNING l.credential_hash
)
UPDATE source_sweep s SET
    next_at = greatest(s.next_at, now() - 5 * pace.sweeping * pace.of_token) + pace.sweeping * pace.of_token
FROM mine, pace
WHERE s.workspace_id = mine.workspace_id AND s.next_at <= now()
  AND (EXISTS (SELECT 1 FROM allowed)
       OR NOT EXISTS (SELECT 1 FROM source_limit l WHERE l.credential_hash = mine.credential_hash))
RETURNING s.workspace_id, s.began_at, s.generation, s.stage, s.container, s.place, s.answers, cardinality(s.looked) AS looks,
          s.failures;
