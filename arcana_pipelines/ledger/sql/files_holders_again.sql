-- Forget what was read of bytes in which other bytes lie that are not kept any more: they are read again, and those with
-- them are kept again.
-- in: workspace_id
-- out: nothing
WITH forgotten AS (
    DELETE FROM parsed_file p
    WHERE p.workspace_id = %(workspace_id)s AND p.inside <> '[]'
      AND EXISTS (SELECT 1 FROM jsonb_array_elements(p.inside) AS i(file)
                  WHERE NOT EXISTS (SELECT 1 FROM stored_file s
                                    WHERE s.workspace_id = p.workspace_id
                                      AND s.sha256 = decode(i.file->>'sha256', 'hex')))
    RETURNING p.sha256, p.parser
)
UPDATE source_file f SET state = 'stored'
FROM forgotten
WHERE f.workspace_id = %(workspace_id)s AND f.sha256 = forgotten.sha256 AND f.parser = forgotten.parser
  AND f.state IN ('parsed', 'skipped');
