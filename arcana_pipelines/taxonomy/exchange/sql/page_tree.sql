-- The pages below a page, at any depth that a taxonomy has, and the databases among them, whose rows are left out.
-- in: workspace_id, external_id (of the page at the top), levels (the most), most (rows)
-- out: external_id, parent_id, title, is_container; the order is that of the tree, siblings by title
WITH RECURSIVE below AS (
    SELECT p.external_id, p.parent_external_id, p.title, p.is_container, 1 AS level
    FROM source_page p
    WHERE p.workspace_id = %(workspace_id)s AND p.parent_external_id = %(external_id)s
      AND p.external_id <> %(external_id)s
      AND (p.kind IN ('page', 'row') OR p.is_container) AND NOT p.is_internal AND p.state <> 'tombstoned'
      AND NOT p.in_trash
    UNION ALL
    SELECT p.external_id, p.parent_external_id, p.title, p.is_container, below.level + 1
    FROM below
    JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.parent_external_id = below.external_id
    WHERE NOT below.is_container AND below.level <= %(levels)s
      AND (p.kind IN ('page', 'row') OR p.is_container) AND NOT p.is_internal AND p.state <> 'tombstoned'
      AND NOT p.in_trash
)
SELECT external_id, parent_external_id AS parent_id, title, is_container
FROM below
ORDER BY level, title, external_id
LIMIT %(most)s;
