-- BM25 (k1 = 1.2, b = 0.75; Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009) over the
-- chunks of one build that have any of the query's words.
WITH found AS (
    SELECT document_chunk_id, lexemes, token_count
    FROM document_chunk
    WHERE rag_index_build_id = %(build)s AND deleted_at IS NULL
      AND lexemes @@ array_to_string(
            ARRAY(SELECT quote_literal(w) FROM unnest(%(words)s::text[]) w), ' | ')::tsquery
), occurrence AS (
    SELECT f.document_chunk_id, u.lexeme, cardinality(u.positions) AS frequency, f.token_count
    FROM found f, unnest(f.lexemes) AS u
    WHERE u.lexeme = ANY(%(words)s)
), build AS (
    SELECT greatest(count(*), 1) AS chunks, greatest(avg(token_count), 1) AS mean_length
    FROM document_chunk
    WHERE rag_index_build_id = %(build)s AND deleted_at IS NULL
), word AS (
    SELECT lexeme, ln(1 + (chunks - count(*) + 0.5) / (count(*) + 0.5)) AS idf
    FROM occurrence, build
    GROUP BY lexeme, chunks
)
SELECT document_chunk_id,
       sum(idf * frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * token_count / mean_length)))::float8 AS score
FROM occurrence JOIN word USING (lexeme), build
GROUP BY document_chunk_id
ORDER BY score DESC, document_chunk_id
LIMIT %(candidates)s;
