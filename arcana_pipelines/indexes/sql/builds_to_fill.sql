-- Workspaces with builds to be filled, the longest waiting first.
-- in: again_after (interval since it was last asked for)
-- out: slug
SELECT w.slug
FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id) JOIN workspace w USING (workspace_id)
WHERE b.state = 'building' AND w.status = 'active'
  -- Texts that wait in a provider's batch are looked for every ten minutes.
  AND NOT EXISTS (SELECT 1 FROM embedding_batch e
                  WHERE e.workspace_id = w.workspace_id AND e.state IN ('sending', 'waiting')
                    AND coalesce(e.checked_at, e.created_at) BETWEEN now() - interval '10 minutes' AND now())
  AND (b.fill_requested_at IS NULL OR b.fill_requested_at NOT BETWEEN now() - %(again_after)s::interval AND now())
GROUP BY w.slug
ORDER BY min(b.created_at), w.slug;
