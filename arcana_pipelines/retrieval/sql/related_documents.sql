-- Served documents that have to do with one: above it, directly below it, linked in one of the two ways, or related
-- otherwise.
-- Chosen before their contents are opened: each is decompressed whole.
-- in: workspace_id, build (rag_index_build_id), document_id, most (of each kind)
-- out: the fields of RelatedDocument
WITH this AS (
    SELECT document_id, path FROM document WHERE workspace_id = %(workspace_id)s AND document_id = %(document_id)s::uuid
),
related AS (
    SELECT 1 AS rank, 'above' AS how, d.document_id
    FROM this JOIN document d ON d.path @> this.path AND d.workspace_id = %(workspace_id)s
    UNION
    SELECT 2, 'below', d.document_id
    FROM this JOIN document d ON d.path ~ (this.path::text || '.*{1}')::lquery AND d.workspace_id = %(workspace_id)s
    UNION
    SELECT 3, CASE relation_type WHEN 'reference' THEN 'links to' ELSE relation_type END, r.related_document_id
    FROM this JOIN document_relation r ON r.base_document_id = this.document_id AND r.deleted_at IS NULL
    UNION
    SELECT 4,
           CASE relation_type
               WHEN 'reference' THEN 'linked from'
               WHEN 'derived' THEN 'derived from'
               WHEN 'duplicate' THEN 'duplicate'
               ELSE relation_type || ' of'
           END,
           r.base_document_id
    FROM this JOIN document_relation r ON r.related_document_id = this.document_id AND r.deleted_at IS NULL
),
numbered AS (
    SELECT r.rank, r.how, s.document_content_id, s.published_at, d.document_id, d.path,
           row_number() OVER (PARTITION BY r.rank, r.how ORDER BY d.path) AS number
    FROM related r
    JOIN document d USING (document_id)
    JOIN published_document s ON s.document_id = d.document_id AND s.rag_index_build_id = %(build)s
    WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL AND d.document_id <> %(document_id)s::uuid
),
chosen AS MATERIALIZED (SELECT * FROM numbered WHERE number <= %(most)s)
SELECT k.document_id, page.external_id, page.kind, coalesce(page.title, '') AS title, page.url, k.path::text AS path,
       nlevel(k.path) - 1 AS depth, c.version,
       replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at, k.published_at, k.how
FROM chosen k
JOIN document_content c USING (document_content_id)
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, kind text, title text, url text, last_edited_at text)
ORDER BY k.rank, k.how, k.path;
