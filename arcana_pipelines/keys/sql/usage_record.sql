-- Add requests to the log of use.
-- in: at, key_id, company_id, workspace_id, action, route, status, milliseconds, hits, tokens, request_id, requests,
--     is_further (lists)
-- out: nothing
INSERT INTO api_usage_logs
    (at, key_id, company_id, workspace_id, action, route, status, milliseconds, hits, tokens, request_id, requests,
     is_further)
SELECT * FROM unnest(
    %(at)s::timestamptz[], %(key_id)s::text[], %(company_id)s::uuid[], %(workspace_id)s::uuid[], %(action)s::text[],
    %(route)s::text[], %(status)s::smallint[], %(milliseconds)s::integer[], %(hits)s::integer[], %(tokens)s::integer[],
    %(request_id)s::text[], %(requests)s::integer[], %(is_further)s::boolean[]
);
