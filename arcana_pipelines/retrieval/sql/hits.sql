-- What a reader needs to know of the chosen chunks. Title, address and text are of one version.
-- Taken apart once: each -> would decompress the whole text of the page.
-- in: workspace_id, chunks, versions (tables; chunks as a parameter: ids), neighbours (chunks before and after)
-- out: what ConnectionSearcher makes a Hit of
SELECT k.document_chunk_id, (SELECT slug FROM workspace WHERE workspace_id = %(workspace_id)s) AS workspace,
       c.document_id, page.external_id, page.kind, page.title, page.url, d.path::text AS path,
       k.heading_path, k.heading_levels, place.position, k.chunk_content AS text, c.version,
       replace(page.last_edited_at, '+00:00', 'Z') AS last_edited_at, page.file,
       v.places -> place.position AS place,
       ARRAY(SELECT n.chunk_content
             FROM unnest(v.chunk_ids[greatest(place.position - %(neighbours)s::int + 1, 1) : place.position])
                 WITH ORDINALITY AS part (document_chunk_id, number)
             JOIN {chunks} n USING (document_chunk_id)
             ORDER BY part.number) AS before,
       ARRAY(SELECT n.chunk_content
             FROM unnest(v.chunk_ids[place.position + 2 : place.position + 1 + %(neighbours)s::int])
                 WITH ORDINALITY AS part (document_chunk_id, number)
             JOIN {chunks} n USING (document_chunk_id)
             ORDER BY part.number) AS after
FROM {chunks} k
JOIN document_content brought USING (document_content_id)
JOIN {versions} v ON v.document_id = brought.document_id
CROSS JOIN LATERAL (SELECT array_position(v.chunk_ids, k.document_chunk_id) - 1 AS position OFFSET 0) place
JOIN document_content c ON c.document_content_id = v.document_content_id
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, kind text, title text, url text, last_edited_at text, file jsonb)
JOIN document d ON d.document_id = c.document_id
WHERE k.document_chunk_id = ANY(%(chunks)s::bigint[]) AND k.deleted_at IS NULL AND d.workspace_id = %(workspace_id)s;
