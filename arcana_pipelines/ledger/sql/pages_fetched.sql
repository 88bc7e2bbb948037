-- Store the bodies of one batch.
-- in: workspace_id, generation, pages (JSON: external_id, revision, body, links, fetched_at, partial, properties,
--     title, unknown_types, files_unknown, record), settled_before (edit times before it cannot hide a second edit)
-- out: nothing
WITH read AS (
    SELECT * FROM json_to_recordset(%(pages)s::json) AS t(
        external_id text, revision text, body text, links text[], fetched_at timestamptz, partial jsonb,
        properties jsonb, title text, unknown_types text[], files_unknown boolean, record jsonb)
)
UPDATE source_page p SET
    body = read.body,
    body_links = read.links,
    fetched_revision = read.revision,
    fetched_at = read.fetched_at,
    -- What comes with a page is read again when that is.
    settled = p.comes_with IS NOT NULL OR p.last_edited_at <= %(settled_before)s,
    partial = read.partial,
    properties = coalesce(read.properties, p.properties),
    title = coalesce(read.title, p.title),
    unknown_types = read.unknown_types,
    files_unknown = read.files_unknown,
    record = read.record,
    state = 'fetched',
    attempts = 0,
    next_attempt_at = NULL,
    reason = NULL,
    seen_generation = %(generation)s
FROM read
WHERE p.workspace_id = %(workspace_id)s AND p.external_id = read.external_id;
