-- The files that lie in others: of each file that was read those that its parser found in it, two levels deep at most. Those
-- that lie in a copy are there, too, as copies: a search below the page of any of them finds the text.
-- in: workspace_id, depth (of the files that are looked into)
-- out: how many changed
WITH wanted AS (
    SELECT f.external_id || '.' || i.number AS external_id, f.page_external_id, f.external_id AS container,
           f.depth + 1 AS depth, i.number AS position, i.file->>'name' AS name,
           decode(i.file->>'sha256', 'hex') AS sha256
    FROM source_file f
    JOIN parsed_file p ON p.workspace_id = f.workspace_id AND p.sha256 = f.sha256 AND p.parser = f.parser
    CROSS JOIN LATERAL jsonb_array_elements(p.inside) WITH ORDINALITY AS i(file, number)
    WHERE f.workspace_id = %(workspace_id)s AND f.state = 'parsed'
      AND f.depth = %(depth)s AND f.depth < 2
), recorded AS (
    INSERT INTO source_file AS held (
        workspace_id, external_id, page_external_id, file_id, container, depth, position, name, origin, sha256, state,
        fetched_at)
    SELECT %(workspace_id)s, external_id, page_external_id, external_id, container, depth, position, name, 'inside',
           sha256, 'stored', now()
    FROM wanted
    ON CONFLICT (workspace_id, external_id) DO UPDATE SET
        name = excluded.name, position = excluded.position, page_external_id = excluded.page_external_id,
        sha256 = excluded.sha256,
        state = CASE WHEN held.sha256 IS DISTINCT FROM excluded.sha256 OR held.state = 'removed' THEN 'stored'
                     ELSE held.state END,
        reason = CASE WHEN held.sha256 IS DISTINCT FROM excluded.sha256 OR held.state = 'removed' THEN NULL
                      ELSE held.reason END,
        removed_at = NULL
    WHERE held.sha256 IS DISTINCT FROM excluded.sha256 OR held.state = 'removed' OR held.name <> excluded.name
    RETURNING 1
), gone AS (
    UPDATE source_file f SET state = 'removed', reason = NULL, removed_at = now()
    WHERE f.workspace_id = %(workspace_id)s AND f.depth = %(depth)s + 1 AND f.state <> 'removed'
      AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.external_id = f.external_id)
      -- What its container could not be read for a while stays as it is.
      AND EXISTS (SELECT 1 FROM source_file c
                  WHERE c.workspace_id = f.workspace_id AND c.external_id = f.container
                    AND c.state IN ('parsed', 'skipped', 'removed'))
    RETURNING 1
)
SELECT (SELECT count(*) FROM recorded) + (SELECT count(*) FROM gone);
