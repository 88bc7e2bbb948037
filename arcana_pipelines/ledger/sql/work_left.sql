-- Work that an interrupted or incomplete sync left behind, or whose time has come; NULL when there is none.
-- What a source refused a moment ago is not asked for again at once: such work waits for a minute, unless a person asks.
-- What is put off for longer than anything is was put off by a clock that has been set back since.
-- in: workspace_id, at_once, fetches (files are fetched: what waits for that is work)
-- out: the work in a few words, or NULL
WITH last AS (
    SELECT %(at_once)s OR coalesce(max(g.started_at) NOT BETWEEN now() - interval '1 minute' AND now(), true) AS is_old,
           coalesce(bool_or(coalesce((g.counters->>'waiting_removals')::int, 0) > 0)
                        FILTER (WHERE g.generation = w.generation), false) AS waits_for_a_person
    FROM workspace w LEFT JOIN sync_generation g USING (workspace_id)
    WHERE w.workspace_id = %(workspace_id)s
)
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM webhook_event WHERE workspace_id = %(workspace_id)s AND generation IS NULL)
        THEN 'changes were announced'
    WHEN is_old AND EXISTS (
        SELECT 1 FROM source_page WHERE workspace_id = %(workspace_id)s
        AND (state IN ('pending', 'fetched') OR (state = 'quarantined' AND next_attempt_at <= now())))
        THEN 'pages wait to be read'
    WHEN is_old AND EXISTS (
        SELECT 1 FROM source_file WHERE workspace_id = %(workspace_id)s
        AND (state = 'stored' OR state = 'pending' AND %(fetches)s
             OR state = 'quarantined' AND next_attempt_at <= now()
                AND (reason NOT IN ('download failed', 'page not read') OR %(fetches)s)))
        THEN 'files wait to be read'
    WHEN is_old AND EXISTS (
        SELECT 1 FROM source_page WHERE workspace_id = %(workspace_id)s
        AND state = 'unchanged' AND NOT settled AND last_edited_at < now() - interval '2 minutes')
        THEN 'pages that were read within their edit minute have settled'
    WHEN EXISTS (SELECT 1 FROM unlisted_page WHERE workspace_id = %(workspace_id)s AND is_missed)
        THEN 'pages are missing from a listing of everything'
    WHEN is_old AND NOT waits_for_a_person AND EXISTS (
        SELECT 1 FROM source_page WHERE workspace_id = %(workspace_id)s AND state = 'suspect'
        AND (%(at_once)s OR next_attempt_at IS NULL OR next_attempt_at NOT BETWEEN now() AND now() + interval '10 minutes'))
        THEN 'missing pages wait for confirmation'
    WHEN EXISTS (
        SELECT 1 FROM embedding_batch WHERE workspace_id = %(workspace_id)s AND state IN ('sending', 'waiting')
        AND (%(at_once)s OR coalesce(checked_at, created_at) NOT BETWEEN now() - interval '10 minutes' AND now()))
        THEN 'a batch of embeddings may be ready'
    WHEN NOT EXISTS (
        SELECT 1 FROM embedding_batch WHERE workspace_id = %(workspace_id)s AND state IN ('sending', 'waiting'))
    AND EXISTS (
        SELECT 1 FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id)
        CROSS JOIN document d
        LEFT JOIN published_document s
            ON s.rag_index_build_id = b.rag_index_build_id AND s.document_id = d.document_id
        WHERE i.workspace_id = %(workspace_id)s AND b.state IN ('active', 'verifying') AND d.workspace_id = %(workspace_id)s
          AND CASE WHEN d.deleted_at IS NULL THEN s.document_content_id IS DISTINCT FROM d.latest_content_id
                   ELSE s.document_id IS NOT NULL END
          AND NOT EXISTS (SELECT 1 FROM source_page p
                          WHERE p.document_id = d.document_id AND p.state = 'quarantined')
          AND NOT EXISTS (SELECT 1 FROM source_file f
                          WHERE f.document_id = d.document_id AND f.state = 'quarantined'))
        THEN 'documents wait to be published'
END
FROM last;
