-- What a reader needs to know of the chosen chunks. Title, address and text are of one version.
-- Taken apart once: each -> would decompress the whole text of the page.
-- in: workspace_id, chunks (table; as a parameter: ids), neighbours (chunks before and after)
-- out: what ConnectionSearcher makes a Hit of
SELECT k.document_chunk_id, (SELECT slug FROM workspace WHERE workspace_id = %(workspace_id)s) AS workspace,
       c.document_id, page.external_id, page.kind, page.title, page.url, d.path::text AS path,
       k.heading_path, k.heading_levels, k.position, k.chunk_content AS text, c.version, page.last_edited_at,
       ARRAY(SELECT n.chunk_content FROM {chunks} n
             WHERE %(neighbours)s::int > 0 AND n.document_content_id = k.document_content_id AND n.deleted_at IS NULL
               AND n.position BETWEEN k.position - %(neighbours)s::int AND k.position - 1
             ORDER BY n.position) AS before,
       ARRAY(SELECT n.chunk_content FROM {chunks} n
             WHERE %(neighbours)s::int > 0 AND n.document_content_id = k.document_content_id AND n.deleted_at IS NULL
               AND n.position BETWEEN k.position + 1 AND k.position + %(neighbours)s::int
             ORDER BY n.position) AS after
FROM {chunks} k
JOIN document_content c USING (document_content_id)
CROSS JOIN LATERAL jsonb_to_record(c.contents)
    AS page(external_id text, kind text, title text, url text, last_edited_at text)
JOIN document d ON d.document_id = c.document_id
WHERE k.document_chunk_id = ANY(%(chunks)s::bigint[]) AND k.deleted_at IS NULL AND d.workspace_id = %(workspace_id)s;
