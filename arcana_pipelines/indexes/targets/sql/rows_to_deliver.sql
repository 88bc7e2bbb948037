-- Chunks as a target gets them. One that is not there any more was published no more meanwhile.
-- in: chunks (table; as a parameter: ids), with_text, row_hash (the expression)
-- out: chunk_id, document_id, title, url, text, heading_path, language, row_hash, vector (at unit length, as vector_send)
WITH wanted AS MATERIALIZED (
    SELECT * FROM {chunks} WHERE document_chunk_id = ANY(%(chunks)s::bigint[])
), brought AS MATERIALIZED (
    SELECT c.document_content_id, c.document_id, c.contents ->> 'title' AS title, c.contents ->> 'url' AS url
    FROM document_content c
    WHERE c.document_content_id IN (SELECT document_content_id FROM wanted)
)
SELECT k.document_chunk_id AS chunk_id, b.document_id, coalesce(b.title, '') AS title, coalesce(b.url, '') AS url,
       CASE WHEN %(with_text)s THEN k.chunk_content END AS text, k.heading_path, k.language, {row_hash} AS row_hash,
       vector_send(l2_normalize(k.chunk_embedding)) AS vector
FROM wanted k JOIN brought b USING (document_content_id);
