-- Records of old syncs and of announcements that were followed; the newest sync stays.
-- in: workspace_id, days (since they ended)
-- out: nothing
WITH syncs AS (
    DELETE FROM sync_generation g USING workspace w
    WHERE w.workspace_id = %(workspace_id)s AND g.workspace_id = w.workspace_id AND g.generation < w.generation
      AND g.started_at < now() - make_interval(days => %(days)s)
)
DELETE FROM webhook_event
WHERE workspace_id = %(workspace_id)s AND generation IS NOT NULL AND received_at < now() - interval '3 days';
