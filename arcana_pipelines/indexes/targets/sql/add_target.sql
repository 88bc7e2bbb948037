-- Add a target to an index.
-- in: workspace_id, rag_index_id, name, kind, location, with_text, serves
-- out: nothing; no row where the name is taken
INSERT INTO index_target (workspace_id, company_id, platform, rag_index_id, name, kind, location, with_text, serves)
SELECT workspace_id, company_id, platform, %(rag_index_id)s, %(name)s, %(kind)s, %(location)s, %(with_text)s, %(serves)s
FROM workspace
WHERE workspace_id = %(workspace_id)s
ON CONFLICT (workspace_id, name) DO NOTHING;
