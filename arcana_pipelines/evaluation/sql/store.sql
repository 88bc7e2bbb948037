INSERT INTO retrieval_quality (
    rag_index_id, rag_index_build_id, questions, metrics, by_question, is_baseline
) VALUES (
    %(rag_index_id)s, %(build)s, %(questions)s, %(metrics)s, %(by_question)s, %(is_baseline)s
);
