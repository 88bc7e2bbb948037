-- Store one batch of files that were read: a new version where the hash differs; else the version of before tells what
-- else is known of the file now.
-- in: workspace_id, files (JSON: external_id, content_hash in hex, contents, made_of)
-- out: versions (number)
WITH file AS (
    SELECT f.external_id, f.document_id, t.contents, t.made_of, decode(t.content_hash, 'hex') AS content_hash,
           f.content_hash IS DISTINCT FROM decode(t.content_hash, 'hex') AS is_new, gen_random_uuid() AS content_id
    FROM json_to_recordset(%(files)s::json) AS t(external_id text, content_hash text, contents jsonb, made_of text)
    JOIN source_file f ON f.workspace_id = %(workspace_id)s AND f.external_id = t.external_id
    WHERE f.document_id IS NOT NULL
), version AS (
    INSERT INTO document_content (document_content_id, document_id, contents, version)
    SELECT content_id, document_id, contents,
           1 + coalesce((SELECT max(c.version) FROM document_content c WHERE c.document_id = file.document_id), 0)
    FROM file WHERE is_new
), pointed AS (
    UPDATE document d SET latest_content_id = file.content_id, updated_at = now()
    FROM file WHERE is_new AND d.document_id = file.document_id
), told AS (
    UPDATE document_content c SET contents = c.contents || (file.contents - 'text' - 'places'), updated_at = now()
    FROM file JOIN document d USING (document_id)
    WHERE NOT is_new AND c.document_content_id = d.latest_content_id
), ledger AS (
    UPDATE source_file f SET content_hash = file.content_hash, made_of = file.made_of
    FROM file WHERE f.workspace_id = %(workspace_id)s AND f.external_id = file.external_id
)
SELECT count(*) FROM file WHERE is_new;
