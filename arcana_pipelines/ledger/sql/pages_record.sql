-- Record one batch of listed pages. A page must be read when its revision is not the one we hold; when only
-- its metadata changed, or it comes back from removal, the body we hold is processed again. What is internal now is hidden
-- at once, with its files, whether or not it can be read again; what no longer is waits until it was processed.
-- in: workspace_id, generation, pages (JSON: what PageRef says, metadata_hash in hex, and comes_with: the page whose
--     reading brought this one)
-- out: how many were recorded: pages, and containers with them
WITH listed AS (
    SELECT * FROM json_to_recordset(%(pages)s::json) AS t(
        external_id text, kind text, is_container boolean, parent_kind text, parent_id text, title text, url text,
        properties jsonb, revision text, last_edited_at timestamptz, editor_id text, editor_name text, in_trash boolean,
        metadata_hash text, is_internal boolean, record jsonb, comes_with text)
), recorded AS (
    INSERT INTO source_page AS held (
        workspace_id, external_id, kind, is_container, parent_kind, parent_external_id, title, url, properties, revision,
        last_edited_at, editor_id, editor_name, in_trash, metadata_hash, is_internal, record, comes_with, state, reason,
        seen_generation)
    SELECT %(workspace_id)s, external_id, kind, is_container, parent_kind, parent_id, title, url, properties, revision,
           last_edited_at, editor_id, editor_name, in_trash, decode(metadata_hash, 'hex'),
           is_internal, record, comes_with,
           CASE WHEN is_container THEN 'skipped' ELSE 'pending' END,
           CASE WHEN is_container THEN 'its rows are pages of their own' END,
           %(generation)s
    FROM listed
    ON CONFLICT (workspace_id, external_id) DO UPDATE SET
        kind = excluded.kind,
        is_container = excluded.is_container,
        parent_kind = excluded.parent_kind,
        parent_external_id = excluded.parent_external_id,
        -- A long title is cut in listings, like long properties; the one that was read to its end stays.
        title = CASE WHEN held.metadata_hash = excluded.metadata_hash THEN held.title ELSE excluded.title END,
        url = excluded.url,
        properties = CASE WHEN held.metadata_hash = excluded.metadata_hash THEN held.properties
                          ELSE excluded.properties END,
        metadata_hash = excluded.metadata_hash,
        revision = excluded.revision,
        last_edited_at = excluded.last_edited_at,
        editor_id = excluded.editor_id,
        editor_name = excluded.editor_name,
        in_trash = excluded.in_trash,
        is_internal = excluded.is_internal,
        -- What is shown again is no longer archived.
        is_archived = false,
        comes_with = excluded.comes_with,
        -- What was read of a revision is more than what a listing says of it.
        record = CASE WHEN held.fetched_revision IS DISTINCT FROM excluded.revision THEN excluded.record
                      ELSE held.record END,
        seen_generation = excluded.seen_generation,
        outcome = NULL,
        removed_at = NULL,
        attempts = CASE WHEN held.revision = excluded.revision AND held.state <> 'suspect'
                        THEN held.attempts ELSE 0 END,
        next_attempt_at = CASE WHEN held.revision = excluded.revision AND held.state <> 'suspect'
                               THEN held.next_attempt_at END,
        reason = CASE WHEN excluded.is_container THEN excluded.reason
                      WHEN held.state = 'quarantined' AND held.revision = excluded.revision THEN held.reason END,
        state = CASE
            WHEN excluded.is_container THEN 'skipped'
            WHEN held.state = 'quarantined' AND held.revision = excluded.revision THEN 'quarantined'
            WHEN held.fetched_revision IS DISTINCT FROM excluded.revision THEN 'pending'
            -- Long relations are cut in listings and completed when the page is read.
            WHEN held.metadata_hash IS DISTINCT FROM excluded.metadata_hash
                 AND jsonb_path_exists(excluded.properties, '$.*.incomplete') THEN 'pending'
            WHEN held.state IN ('tombstoned', 'suspect', 'fetched', 'skipped')
                 OR held.metadata_hash IS DISTINCT FROM excluded.metadata_hash THEN 'fetched'
            ELSE held.state
        END
    RETURNING external_id, document_id, is_container, is_internal
), private AS (
    SELECT document_id FROM recorded WHERE is_internal
    UNION ALL
    SELECT f.document_id
    FROM recorded JOIN source_file f ON f.workspace_id = %(workspace_id)s AND f.page_external_id = recorded.external_id
    WHERE recorded.is_internal
), hidden AS (
    UPDATE document d SET is_internal = true, updated_at = now()
    FROM private WHERE d.document_id = private.document_id AND NOT d.is_internal
    RETURNING d.document_id
), told AS (
    -- Answers that are kept with what was open are answers no more.
    INSERT INTO workspace_places AS held (workspace_id, changes)
    SELECT %(workspace_id)s, 1 WHERE EXISTS (SELECT FROM hidden)
    ON CONFLICT (workspace_id) DO UPDATE SET changes = held.changes + 1
)
SELECT count(*) FILTER (WHERE NOT is_container), count(*) FROM recorded;
