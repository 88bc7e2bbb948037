-- What a reader needs to know of the chosen chunks. Title, address and text are of one version.
-- Taken apart once: each -> would decompress the whole text of the page.
-- in: workspace_id, chunks, versions (tables; chunks as a parameter: ids), neighbours (chunks before and after),
--     tells_related (whether documents that people related to theirs are told, and paths, in which pages above are
--     named), open_alone (no internal ones),
--     longest_page (characters: of a longer page the whole text is not told)
-- out: what ConnectionSearcher makes a Hit of
SELECT k.document_chunk_id, (SELECT slug FROM workspace WHERE workspace_id = %(workspace_id)s) AS workspace,
       c.document_id, page.external_id, page.kind, page.title, page.url, d.path::text AS path,
       k.heading_path, k.heading_levels, place.position, k.chunk_content AS text, c.version,
       replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at, page.file,
       CASE WHEN page.url IS NULL AND listed.url !~ '^[a-z]+:' AND %(tells_related)s THEN listed.url END AS source_path,
       v.places -> place.position AS place,
       CASE WHEN length(page.text) <= %(longest_page)s::int THEN page.text END AS page_text,
       ARRAY(SELECT n.chunk_content
             FROM unnest(v.chunk_ids[greatest(place.position - %(neighbours)s::int + 1, 1) : place.position])
                 WITH ORDINALITY AS part (document_chunk_id, number)
             JOIN {chunks} n USING (document_chunk_id)
             ORDER BY part.number) AS before,
       ARRAY(SELECT n.chunk_content
             FROM unnest(v.chunk_ids[place.position + 2 : place.position + 1 + %(neighbours)s::int])
                 WITH ORDINALITY AS part (document_chunk_id, number)
             JOIN {chunks} n USING (document_chunk_id)
             ORDER BY part.number) AS after,
       (SELECT jsonb_agg(jsonb_build_object('how', r.how, 'document_id', r.document_id, 'title', other.title,
                                            'url', other.url) ORDER BY r.how, r.document_id)
        FROM (SELECT CASE relation_type WHEN 'reference' THEN 'links to' ELSE relation_type END AS how,
                     related_document_id AS document_id
              FROM document_relation
              WHERE base_document_id = c.document_id AND origin <> 'source' AND deleted_at IS NULL AND %(tells_related)s
              UNION
              SELECT CASE relation_type WHEN 'reference' THEN 'linked from' WHEN 'duplicate' THEN 'duplicate'
                                        ELSE relation_type || ' of' END,
                     base_document_id
              FROM document_relation
              WHERE related_document_id = c.document_id AND origin <> 'source' AND deleted_at IS NULL
                AND %(tells_related)s
              ORDER BY how, document_id LIMIT 5) r
        JOIN document related ON related.document_id = r.document_id AND related.deleted_at IS NULL
                             AND NOT (related.is_internal AND %(open_alone)s)
        JOIN {versions} served ON served.document_id = r.document_id
        JOIN document_content said ON said.document_content_id = served.document_content_id
        CROSS JOIN LATERAL jsonb_to_record(said.contents) AS other(title text, url text)) AS related
FROM {chunks} k
JOIN document_content brought USING (document_content_id)
JOIN {versions} v ON v.document_id = brought.document_id
CROSS JOIN LATERAL (SELECT array_position(v.chunk_ids, k.document_chunk_id) - 1 AS position OFFSET 0) place
JOIN document_content c ON c.document_content_id = v.document_content_id
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, kind text, title text, url text, last_edited_at text, file jsonb, text text)
JOIN document d ON d.document_id = c.document_id
LEFT JOIN source_page listed ON listed.document_id = c.document_id AND listed.workspace_id = %(workspace_id)s
WHERE k.document_chunk_id = ANY(%(chunks)s::bigint[]) AND k.deleted_at IS NULL AND d.workspace_id = %(workspace_id)s;
