-- Pages that are held since before the sweep, that neither it nor a sync since has found there, and that are not about to
-- be read or looked at anyway. Left out are those that two sweeps did not show although they were there.
-- in: workspace_id
-- out: external_id, kind and parent_external_id of each
SELECT p.external_id, p.kind, p.parent_external_id
FROM source_sweep s
JOIN source_page p ON p.workspace_id = s.workspace_id AND p.seen_generation <= s.generation
LEFT JOIN unlisted_page u ON u.workspace_id = p.workspace_id AND u.external_id = p.external_id
WHERE s.workspace_id = %(workspace_id)s
  AND NOT p.is_container AND NOT p.is_archived AND p.comes_with IS NULL
  AND (p.state IN ('unchanged', 'quarantined') OR (p.state = 'skipped' AND p.document_id IS NOT NULL))
  AND NOT coalesce(u.is_gone OR u.sweeps >= 2, false)
  AND p.external_id <> ALL (s.looked)
  AND NOT EXISTS (SELECT 1 FROM (SELECT unnest(a.ids) AS external_id FROM source_sweep_answer a
                                 WHERE a.workspace_id = %(workspace_id)s) AS shown
                  WHERE shown.external_id = p.external_id)
