-- Forget pages whose removal is older than the retention time, with their documents, versions and chunks.
-- in: workspace_id, days (since the removal)
-- out: how many pages
WITH old AS (
    SELECT p.external_id, p.document_id FROM source_page p
    WHERE p.workspace_id = %(workspace_id)s AND p.state = 'tombstoned'
      AND p.removed_at < now() - make_interval(days => %(days)s)
      AND NOT EXISTS (SELECT 1 FROM published_document s WHERE s.document_id = p.document_id)
      -- Its files go first (`purge_files`): without it nobody would know that their texts have to go.
      AND NOT EXISTS (SELECT 1 FROM source_file f
                      WHERE f.workspace_id = p.workspace_id AND f.page_external_id = p.external_id)
), pages AS (
    DELETE FROM source_page p USING old
    WHERE p.workspace_id = %(workspace_id)s AND p.external_id = old.external_id
    RETURNING p.document_id
), lost AS (
    SELECT v.rag_index_build_id, max(v.retired_at) AS until
    FROM old JOIN retired_document v USING (document_id)
    GROUP BY 1
), horizon AS (
    -- Their last version may have been retired after the page was found to be gone.
    UPDATE rag_index_build b SET remembers_since = greatest(b.remembers_since, lost.until)
    FROM lost WHERE b.rag_index_build_id = lost.rag_index_build_id
), documents AS (
    DELETE FROM document d USING pages WHERE d.document_id = pages.document_id
)
SELECT count(*) FROM pages;
