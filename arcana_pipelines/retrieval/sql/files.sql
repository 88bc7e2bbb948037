-- The files of found chunks: of equal ones, whose text is searched once, each that may be seen, with its page.
-- in: workspace_id, holders (ids of the documents that have the chunks), versions (table), equal (condition on r), seen,
--     wanted (conditions on a document `f`: it may be seen, and what was asked leaves it), most (of each holder)
-- out: holder, the fields of a hit that are of its file, and external_id, title and url of its page (NULL: it has none);
--     first the one to be shown, if is_wanted
WITH alike AS (
    SELECT holder, holder AS document_id FROM unnest(%(holders)s::uuid[]) holder
    UNION ALL
    SELECT r.related_document_id, r.base_document_id
    FROM document_relation r
    WHERE r.related_document_id = ANY(%(holders)s::uuid[]) AND {equal}
), seen AS (
    SELECT a.holder, f.document_id, f.path, {wanted} AS is_wanted
    FROM alike a JOIN document f USING (document_id)
    WHERE f.workspace_id = %(workspace_id)s AND {seen}
), numbered AS (
    SELECT s.*, v.document_content_id,
           row_number() OVER (PARTITION BY s.holder
                              ORDER BY s.is_wanted DESC, s.document_id <> s.holder, s.path) AS number
    FROM seen s JOIN {versions} v USING (document_id)
), chosen AS MATERIALIZED (SELECT * FROM numbered WHERE number <= %(most)s)
SELECT k.holder, k.is_wanted, k.document_id, page.external_id, page.title, page.url, k.path::text AS path, c.version,
       replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at, page.file,
       p.external_id AS page_external_id, p.title AS page_title, p.url AS page_url
FROM chosen k
JOIN document_content c USING (document_content_id)
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, title text, url text, last_edited_at text, file jsonb)
LEFT JOIN source_file s ON s.workspace_id = %(workspace_id)s AND s.document_id = k.document_id
LEFT JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.external_id = s.page_external_id
ORDER BY k.holder, k.number;
