-- Is a removed document still served by a build?
-- in: build (rag_index_build_id)
-- out: any (true or false)
SELECT EXISTS (
    SELECT 1 FROM published_document s JOIN document d USING (document_id)
    WHERE s.rag_index_build_id = %(build)s AND d.deleted_at IS NOT NULL) AS any;
