-- Put every document below its parents, a file below its page or the file that it lies in. Labels are made of stable ids, so a rename moves nothing.
-- Pages in a cycle keep their place right below the workspace: no root leads to them, so the recursion ends.
-- From the 64th label on, pages stand beside their parents, still below all pages above those: an inner key of the
-- GiST index holds two paths, and with room for only one key a page the index cannot be built ("stack depth limit
-- exceeded"). A label takes 24 bytes, a page 8 kB.
-- in: workspace_id
-- out: nothing
WITH RECURSIVE place AS (
    SELECT p.external_id, p.document_id,
           text2ltree('w' || replace(p.workspace_id::text, '-', '') || '.p' || left(md5(p.external_id), 16)) AS path
    FROM source_page p
    LEFT JOIN source_page parent
        ON parent.workspace_id = p.workspace_id AND parent.external_id = p.parent_external_id
    WHERE p.workspace_id = %(workspace_id)s AND parent.external_id IS NULL
    UNION ALL
    SELECT p.external_id, p.document_id,
           subpath(place.path, 0, least(nlevel(place.path), 63)) || text2ltree('p' || left(md5(p.external_id), 16))
    FROM place
    JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.parent_external_id = place.external_id
), file_place AS (
    SELECT f.external_id, f.document_id,
           coalesce(subpath(place.path, 0, least(nlevel(place.path), 63)),
                    text2ltree('w' || replace(f.workspace_id::text, '-', '')))
           || text2ltree('f' || left(md5(f.external_id), 16)) AS path
    FROM source_file f
    LEFT JOIN place ON place.external_id = f.page_external_id
    WHERE f.workspace_id = %(workspace_id)s AND f.container IS NULL
    UNION ALL
    SELECT f.external_id, f.document_id,
           subpath(above.path, 0, least(nlevel(above.path), 63)) || text2ltree('f' || left(md5(f.external_id), 16))
    FROM file_place above
    JOIN source_file f ON f.workspace_id = %(workspace_id)s AND f.container = above.external_id
)
UPDATE document d SET path = place.path, updated_at = now()
FROM (SELECT document_id, path FROM place UNION ALL SELECT document_id, path FROM file_place) place
WHERE d.document_id = place.document_id AND d.path <> place.path;
