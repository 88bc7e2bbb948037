-- A condition on `named`: where it stands in the source, by titles, is like a pattern. A cycle of pages has no place.
-- in: workspace_id, pattern (of the whole path), anywhere (one that begins at some level; NULL: none does)
-- out: a condition
named.document_id IN (
    WITH RECURSIVE place AS (
        SELECT p.external_id, p.document_id, left(p.title, 200) AS path
        FROM source_page p
        LEFT JOIN source_page above ON above.workspace_id = p.workspace_id AND above.external_id = p.parent_external_id
        WHERE p.workspace_id = %(workspace_id)s AND above.external_id IS NULL
        UNION ALL
        SELECT p.external_id, p.document_id, place.path || '/' || left(p.title, 200)
        FROM place
        JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.parent_external_id = place.external_id
    ), file_place AS (
        SELECT f.external_id, f.document_id,
               concat_ws('/', place.path, nullif(CASE WHEN f.origin = 'added' THEN f.caption END, ''), f.name) AS path
        FROM source_file f
        LEFT JOIN place ON place.external_id = f.page_external_id
        WHERE f.workspace_id = %(workspace_id)s AND f.container IS NULL
        UNION ALL
        SELECT f.external_id, f.document_id, above.path || '/' || f.name
        FROM file_place above
        JOIN source_file f ON f.workspace_id = %(workspace_id)s AND f.container = above.external_id
    )
    SELECT every.document_id
    FROM (SELECT document_id, lower(normalize(path, NFC)) AS path FROM place
          UNION ALL SELECT document_id, lower(normalize(path, NFC)) FROM file_place) every
    WHERE every.path LIKE %(pattern)s OR every.path LIKE %(anywhere)s
)
