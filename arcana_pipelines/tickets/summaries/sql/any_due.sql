-- Is there a ticket of which a summary could be made now? Only with `all_of_it` are those looked through whose content
-- has one, which may be of another model or prompt: that reads every summary.
-- in: workspace_id, model, prompt_version, all_of_it
-- out: is_due
WITH ours AS (
    SELECT t.id, t.is_processed, t.content_hash, t.summary
    FROM workspace w
    JOIN tickets t ON t.company_id = w.company_id AND t.platform = w.platform AND t.workspace_id = w.workspace_id
    WHERE w.workspace_id = %(workspace_id)s AND t.removed_at IS NULL AND t.content_hash IS NOT NULL
)
SELECT EXISTS (
    SELECT FROM ours LEFT JOIN summary_attempt a ON a.ticket_id = ours.id
    WHERE NOT ours.is_processed
      AND (a.ticket_id IS NULL
           OR (a.state = 'failed'
               AND (a.ends_at <= now()
                    OR (a.content_hash, a.model, a.prompt_version)
                       IS DISTINCT FROM (ours.content_hash, %(model)s, %(prompt_version)s))))
) OR EXISTS (
    SELECT FROM summary_attempt a JOIN ours ON ours.id = a.ticket_id
    WHERE a.workspace_id = %(workspace_id)s AND a.ends_at <= now()
) OR (%(all_of_it)s AND EXISTS (
    SELECT FROM ours LEFT JOIN summary_attempt a ON a.ticket_id = ours.id
    WHERE ours.is_processed AND a.ticket_id IS NULL
      AND (ours.summary->>'of', ours.summary->>'model', ours.summary->>'prompt_version')
          IS DISTINCT FROM (encode(ours.content_hash, 'hex'), %(model)s, %(prompt_version)s::text)
)) AS is_due;
