-- Keep the result of an evaluation; a new baseline takes the place of the one before.
-- in: rag_index_id, build (rag_index_build_id), questions (number), metrics (JSON by ranking), by_question (JSON: 0
--     to 1 by key), is_baseline
-- out: nothing
INSERT INTO retrieval_quality (
    rag_index_id, rag_index_build_id, questions, metrics, by_question, is_baseline
) VALUES (
    %(rag_index_id)s, %(build)s, %(questions)s, %(metrics)s, %(by_question)s, %(is_baseline)s
);
