-- Files that are meant by their id, or by their exact name.
-- in: workspace_id, asked (as written), title
-- out: external_id, is_container (false), title, state (as of a page), is_indexed; at most 20
SELECT s.external_id, false AS is_container, s.name AS title,
       CASE s.state WHEN 'removed' THEN 'tombstoned' ELSE s.state END AS state,
       s.document_id IS NOT NULL AND d.deleted_at IS NULL AS is_indexed
FROM source_file s
LEFT JOIN document d ON d.document_id = s.document_id
WHERE s.workspace_id = %(workspace_id)s
  AND (s.external_id = %(asked)s OR (lower(s.name) = lower(%(title)s) AND s.state <> 'removed'))
LIMIT 20;
