-- Documents that a build serves, in the order of their tree.
-- Chosen before their contents are opened: each is decompressed whole.
-- in: workspace_id, build (rag_index_build_id), allowed (ids), after (path of the last one before, or NULL), most
-- out: the fields of ServedDocument
WITH chosen AS MATERIALIZED (
    SELECT s.document_content_id, s.published_at, d.document_id, d.path
    FROM published_document s JOIN document d USING (document_id)
    WHERE s.rag_index_build_id = %(build)s AND d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL
      AND d.document_id IN ({allowed}) AND (%(after)s::ltree IS NULL OR d.path > %(after)s::ltree)
    ORDER BY d.path
    LIMIT %(most)s
)
SELECT k.document_id, page.external_id, page.kind, coalesce(page.title, '') AS title, page.url, k.path::text AS path,
       nlevel(k.path) - 1 AS depth, c.version,
       replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at, k.published_at
FROM chosen k
JOIN document_content c USING (document_content_id)
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, kind text, title text, url text, last_edited_at text)
ORDER BY k.path;
