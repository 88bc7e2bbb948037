-- Point documents at their new contents (those that are new already are), keep the properties that filters look at, and
-- bring back what was removed.
-- in: documents (ids), contents (the id of the new version of each, or NULL), property_values (property_values.sql)
-- out: nothing
WITH given AS (
    SELECT * FROM unnest(%(documents)s::uuid[], %(contents)s::uuid[]) AS t(document_id, document_content_id)
), pointed AS (
    UPDATE document d SET
        latest_content_id = coalesce(given.document_content_id, d.latest_content_id),
        deleted_at = NULL,
        updated_at = now()
    FROM given
    WHERE d.document_id = given.document_id
      AND (d.latest_content_id IS DISTINCT FROM given.document_content_id OR d.deleted_at IS NOT NULL)
), property AS (
    SELECT d.workspace_id, d.document_id, held.*
    FROM given
    JOIN document d ON d.document_id = given.document_id
    JOIN document_content c ON c.document_content_id = given.document_content_id,
    LATERAL jsonb_each(coalesce(c.contents->'properties', jsonb_build_object())) v,
    LATERAL ({property_values}) held
), gone AS (
    DELETE FROM document_property held
    USING given
    WHERE held.document_id = given.document_id AND given.document_content_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM property p WHERE p.document_id = held.document_id AND p.name = held.name
                                                 AND p.position = held.position)
)
INSERT INTO document_property AS held (workspace_id, document_id, name, position, text, number, truth, starts, ends)
SELECT workspace_id, document_id, name, position, text, number, truth, starts, ends FROM property
ON CONFLICT (document_id, name, position) DO UPDATE SET
    text = excluded.text, number = excluded.number, truth = excluded.truth, starts = excluded.starts, ends = excluded.ends
WHERE (held.text, held.number, held.truth, held.starts, held.ends)
    IS DISTINCT FROM (excluded.text, excluded.number, excluded.truth, excluded.starts, excluded.ends);
