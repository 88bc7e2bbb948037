-- Store one batch of processed pages: a document where there is none, a new version where the hash differs, and whether
-- they are internal now.
-- in: workspace_id, pages (JSON: external_id, content_hash in hex, contents, links, user_id of the editor), normaliser (number)
-- out: document_id, and the id of its new version (NULL: none, the document is back)
WITH processed AS (
    SELECT * FROM json_to_recordset(%(pages)s::json) AS t(
        external_id text, content_hash text, contents jsonb, links text[], user_id uuid)
), page AS (
    SELECT p.external_id, p.document_id, t.contents, t.links, t.user_id, decode(t.content_hash, 'hex') AS content_hash,
           p.document_id IS NULL OR p.content_hash IS DISTINCT FROM decode(t.content_hash, 'hex') AS is_new,
           w.user_id AS owner_id, w.company_id, w.platform, coalesce(p.document_id, gen_random_uuid()) AS target_id, gen_random_uuid() AS content_id,
           d.deleted_at IS NOT NULL AS is_back, p.is_internal,
           text2ltree('w' || replace(w.workspace_id::text, '-', '') || '.p' || left(md5(p.external_id), 16)) AS path
    FROM processed t
    JOIN source_page p ON p.workspace_id = %(workspace_id)s AND p.external_id = t.external_id
    JOIN workspace w ON w.workspace_id = p.workspace_id
    LEFT JOIN document d ON d.document_id = p.document_id
    WHERE p.state = 'fetched'
), created AS (
    -- The place is provisional: paths.sql puts it under its parents.
    INSERT INTO document (document_id, workspace_id, company_id, platform, user_id, path, upload_status, latest_content_id,
                          is_internal)
    SELECT target_id, %(workspace_id)s, company_id, platform, owner_id, path, 'uploaded', content_id, is_internal
    FROM page WHERE document_id IS NULL
), told AS (
    -- Who may see a page may see its files.
    SELECT target_id AS document_id, is_internal FROM page
    UNION ALL
    SELECT f.document_id, page.is_internal
    FROM page JOIN source_file f ON f.workspace_id = %(workspace_id)s AND f.page_external_id = page.external_id
), hidden AS (
    UPDATE document d SET is_internal = told.is_internal, updated_at = now()
    FROM told WHERE d.document_id = told.document_id AND d.is_internal <> told.is_internal
    RETURNING d.document_id
), other_answers AS (
    -- No answer that is kept is one any more: others see the document now.
    INSERT INTO workspace_places AS held (workspace_id, changes)
    SELECT %(workspace_id)s, 1 WHERE EXISTS (SELECT FROM hidden)
    ON CONFLICT (workspace_id) DO UPDATE SET changes = held.changes + 1
), version AS (
    INSERT INTO document_content (document_content_id, document_id, user_id, contents, version)
    SELECT content_id, target_id, user_id, contents,
           1 + coalesce((SELECT max(c.version) FROM document_content c WHERE c.document_id = page.document_id), 0)
    FROM page WHERE is_new
), edited AS (
    -- Versions of before editors were known, and of sources that did not say: the text is still theirs.
    UPDATE document_content c SET
        user_id = page.user_id,
        contents = c.contents || jsonb_build_object('edited_by', page.contents->'edited_by'),
        updated_at = now()
    FROM page JOIN document d USING (document_id)
    WHERE NOT page.is_new AND c.document_content_id = d.latest_content_id
      AND c.user_id IS NULL AND page.user_id IS NOT NULL
), ledger AS (
    UPDATE source_page p SET
        state = 'unchanged',
        document_id = page.target_id,
        content_hash = page.content_hash,
        links = page.links,
        normaliser = %(normaliser)s,
        reason = NULL,
        outcome = CASE WHEN page.document_id IS NULL OR page.is_back THEN 'added'
                       WHEN page.is_new THEN 'updated'
                       ELSE 'unchanged' END
    FROM page
    WHERE p.workspace_id = %(workspace_id)s AND p.external_id = page.external_id
)
SELECT target_id, CASE WHEN is_new THEN content_id END FROM page WHERE is_new OR is_back;
