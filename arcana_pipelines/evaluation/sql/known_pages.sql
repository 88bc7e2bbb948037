-- Those of the named pages that are documents of the workspace now, and what those say of which something is quoted.
-- in: workspace_id, pages (ids), quoted (ids)
-- out: external_id, text (title, properties and body)
SELECT p.external_id, CASE WHEN p.external_id = ANY(%(quoted)s) THEN
    concat_ws(E'\n', c.contents->>'title',
              (SELECT string_agg(concat_ws(': ', name, held->>'text'), E'\n')
               FROM jsonb_each(c.contents->'properties') AS properties(name, held)),
              c.contents->>'text')
    ELSE '' END AS text
FROM source_page p
JOIN document d USING (document_id)
JOIN document_content c ON c.document_content_id = d.latest_content_id
WHERE p.workspace_id = %(workspace_id)s AND p.external_id = ANY(%(pages)s) AND d.deleted_at IS NULL;
