-- Put every document below its parents. Labels are made of stable ids, so a rename moves nothing.
-- Deeper than 100 levels (and in a cycle) a document keeps its place right below the workspace: a path is a
-- B-tree key and has to stay below 2.7 kB.
WITH RECURSIVE place AS (
    SELECT p.external_id, p.document_id, 1 AS depth,
           text2ltree('w' || replace(p.workspace_id::text, '-', '') || '.p' || left(md5(p.external_id), 16)) AS path
    FROM source_page p
    LEFT JOIN source_page parent
        ON parent.workspace_id = p.workspace_id AND parent.external_id = p.parent_external_id
    WHERE p.workspace_id = %(workspace_id)s AND parent.external_id IS NULL
    UNION ALL
    SELECT p.external_id, p.document_id, place.depth + 1,
           place.path || text2ltree('p' || left(md5(p.external_id), 16))
    FROM place
    JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.parent_external_id = place.external_id
    WHERE place.depth < 100
)
UPDATE document d SET path = place.path, updated_at = now()
FROM place
WHERE d.document_id = place.document_id AND d.path <> place.path;
