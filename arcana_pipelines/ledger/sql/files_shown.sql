-- What is known of one file besides what a list of them says.
-- in: workspace_id, external_id, characters (of its text at most)
-- out: the fields of ShownFile but `file`
SELECT f.detail, f.parser, f.next_attempt_at, encode(f.sha256, 'hex') AS sha256, s.mime_type, r.title,
       coalesce(r.notes, '[]') AS notes, coalesce(r.places, '[]') AS places, coalesce(left(r.text, %(characters)s), '') AS text,
       coalesce(length(r.text), 0) AS characters,
       (SELECT original.document_id FROM source_file original
        WHERE original.workspace_id = f.workspace_id AND original.external_id = f.copy_of) AS copy_of,
       (SELECT outer_one.name FROM source_file outer_one
        WHERE outer_one.workspace_id = f.workspace_id AND outer_one.external_id = f.container) AS inside,
       coalesce((SELECT jsonb_agg(jsonb_build_object('version', c.version, 'created_at', c.created_at) ORDER BY c.version DESC)
                 FROM document_content c WHERE c.document_id = f.document_id AND c.deleted_at IS NULL), '[]') AS versions
FROM source_file f
LEFT JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256
LEFT JOIN parsed_file r ON r.workspace_id = f.workspace_id AND r.sha256 = f.sha256 AND r.parser = f.parser
WHERE f.workspace_id = %(workspace_id)s AND f.external_id = %(external_id)s;
