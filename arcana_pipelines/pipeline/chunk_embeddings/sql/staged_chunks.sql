-- Staged chunks as they were cut. A title is read once of each content, which may be megabytes.
-- in: build (rag_index_build_id), contents (document_content_id), positions (one of each)
-- out: text_hash, position, chunk_content, heading_path, heading_levels, title
WITH titles AS MATERIALIZED (
    SELECT document_content_id, contents->>'title' AS title
    FROM document_content
    WHERE document_content_id = ANY(%(contents)s::uuid[])
)
SELECT t.text_hash, t.position, t.chunk_content, t.heading_path, t.heading_levels, titles.title
FROM unnest(%(contents)s::uuid[], %(positions)s::int[]) AS asked(document_content_id, position)
JOIN chunk_stage t ON t.rag_index_build_id = %(build)s AND t.document_content_id = asked.document_content_id
                  AND t.position = asked.position
JOIN titles ON titles.document_content_id = t.document_content_id;
