-- Keep what was said of an answer, or of a chunk in it, in place of what was said of it before.
-- in: at, company_id, workspace_id, index_name, key_id, request_id, query_hash, document_id, position, place (the fields of
--     Shown), verdict, comment
-- out: nothing
INSERT INTO search_feedback AS f
    (at, searched_at, company_id, workspace_id, index_name, key_id, request_id, query_hash, document_id, position, place,
     verdict, comment)
VALUES
    (now(), %(at)s, %(company_id)s, %(workspace_id)s, %(index_name)s, %(key_id)s, %(request_id)s, %(query_hash)s,
     %(document_id)s, %(position)s, %(place)s, %(verdict)s, %(comment)s)
ON CONFLICT (company_id, key_id, request_id, workspace_id, index_name, document_id, position,
             (CASE WHEN verdict IN ('helpful', 'unhelpful') THEN 'judged' ELSE verdict END))
DO UPDATE SET at = excluded.at, verdict = excluded.verdict, comment = coalesce(excluded.comment, f.comment)
WHERE f.verdict <> excluded.verdict OR excluded.comment IS DISTINCT FROM f.comment AND excluded.comment IS NOT NULL;
