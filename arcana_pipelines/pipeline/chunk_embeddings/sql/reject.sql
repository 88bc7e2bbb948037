-- Remember texts that the provider refuses, and put the pages they stand on into quarantine: only an edit or a
-- person brings them back. What is served of those pages stays.
-- in: workspace_id, model, dimensions, hashes, reasons (one of each)
-- out: nothing
WITH refused AS (
    SELECT * FROM unnest(%(hashes)s::bytea[], %(reasons)s::text[]) AS t(text_hash, reason)
), remembered AS (
    INSERT INTO embedding_rejected (workspace_id, embedding_model, dimensions, text_hash, reason)
    SELECT %(workspace_id)s, %(model)s, %(dimensions)s, text_hash, reason FROM refused
    ON CONFLICT DO NOTHING
), stands AS (
    SELECT d.document_id, min(refused.reason) AS reason
    FROM refused
    JOIN chunk_stage s USING (text_hash)
    JOIN rag_index_build b ON b.rag_index_build_id = s.rag_index_build_id
        AND b.embedding_model = %(model)s AND b.dimensions = %(dimensions)s
    JOIN rag_indexes i ON i.rag_index_id = b.rag_index_id AND i.workspace_id = %(workspace_id)s
    JOIN document_content c USING (document_content_id)
    JOIN document d ON d.document_id = c.document_id AND d.latest_content_id = c.document_content_id
    GROUP BY d.document_id
), files AS (
    UPDATE source_file f SET
        state = 'quarantined', next_attempt_at = NULL,
        reason = 'the embedding provider refuses a text of this file: ' || t.reason
    FROM stands t
    WHERE f.workspace_id = %(workspace_id)s AND f.document_id = t.document_id AND f.state = 'parsed'
)
UPDATE source_page p SET
    state = 'quarantined', next_attempt_at = NULL, outcome = NULL,
    reason = 'the embedding provider refuses a text of this page: ' || t.reason
FROM stands t
WHERE p.workspace_id = %(workspace_id)s AND p.document_id = t.document_id AND p.state = 'unchanged';
