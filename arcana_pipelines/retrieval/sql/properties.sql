-- The properties of a workspace by name: the columns of its databases, and what rows have besides.
-- in: workspace_id
-- out: name, is_title, databases (ids of those that are known to have the column)
WITH RECURSIVE held AS (
    -- The next name by the index, and so on: reading all rows would be slow.
    (SELECT name FROM document_property WHERE workspace_id = %(workspace_id)s ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (SELECT q.name FROM document_property q WHERE q.workspace_id = %(workspace_id)s AND q.name > held.name
            ORDER BY q.name LIMIT 1)
    FROM held WHERE held.name IS NOT NULL
)
SELECT c.key AS name, coalesce(c.value->>'type' = 'title', false) AS is_title, array_agg(p.external_id) AS databases
FROM source_page p CROSS JOIN LATERAL jsonb_each(p.properties) c
WHERE p.workspace_id = %(workspace_id)s AND p.is_container AND p.state <> 'tombstoned'
GROUP BY 1, 2
UNION ALL
-- What none but a document has that is hidden from whoever asks is none. One is looked for by name (OFFSET): as a join
-- all properties of all documents would be read.
SELECT name, false, ARRAY[]::text[] FROM held
WHERE name IS NOT NULL
  AND EXISTS (SELECT FROM document_property q JOIN document d USING (document_id)
              WHERE q.workspace_id = %(workspace_id)s AND q.name = held.name OFFSET 0);
