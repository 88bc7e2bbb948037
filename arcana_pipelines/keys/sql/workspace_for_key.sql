-- A workspace of a company, and by what its indexes answer now.
-- in: company_id, slug
-- out: workspace_id (NULL: there is none), platform, places, indexes, builds and publish_seqs
SELECT workspace_id, platform, places, indexes, builds, publish_seqs FROM workspace_for_key(%(company_id)s, %(slug)s);
