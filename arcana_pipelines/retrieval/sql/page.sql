-- Pages and databases that are meant by an id, by the id in an address, or by an exact title. What is internal has the title
-- of what it belongs to, which is meant then.
-- in: workspace_id, asked (as written), external_id (or NULL), hex (its digits, or NULL), title
-- out: external_id, is_container, title, state, is_indexed; at most 20
WITH named AS (
    SELECT p.external_id, p.is_container, p.title, p.state,
           p.document_id IS NOT NULL AND d.deleted_at IS NULL AS is_indexed, coalesce(d.is_internal, false) AS is_internal
    FROM source_page p
    LEFT JOIN document d ON d.document_id = p.document_id
    WHERE p.workspace_id = %(workspace_id)s AND (
        p.external_id IN (%(asked)s, %(external_id)s)
        -- The address of a database names the database, and its rows its data source.
        OR (p.is_container AND %(hex)s::text IS NOT NULL
            AND position(%(hex)s::text IN replace(lower(p.url), '-', '')) > 0)
        OR (lower(left(p.title, 200)) = lower(left(%(title)s, 200)) AND lower(p.title) = lower(%(title)s)
            AND p.state <> 'tombstoned'))
)
SELECT n.external_id, n.is_container, n.title, n.state, n.is_indexed
FROM named n
WHERE NOT n.is_internal OR n.external_id IN (%(asked)s, %(external_id)s)
   OR NOT EXISTS (SELECT FROM named o WHERE NOT o.is_internal)
LIMIT 20;
