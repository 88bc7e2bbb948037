-- How many documents wait for a person, and how many topics had no place in the version.
-- in: workspace_id, version
-- out: queued, ended
SELECT (SELECT count(DISTINCT t.doc_id)
        FROM doc_taxonomy t JOIN document d ON d.document_id = t.doc_id AND d.deleted_at IS NULL
        WHERE t.workspace_id = %(workspace_id)s AND t.version = %(version)s AND t.hitl_required
          AND (t.origin <> 'nearest' OR t.confidence >= coalesce(
              (SELECT s.suggest_at FROM taxonomy_settings s WHERE s.workspace_id = %(workspace_id)s), 0.5))) AS queued,
       (SELECT count(*) FROM taxonomy_ended e
        WHERE e.workspace_id = %(workspace_id)s AND e.version = %(version)s) AS ended
