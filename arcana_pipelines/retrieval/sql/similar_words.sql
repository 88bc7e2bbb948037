-- Words near one that no chunk has, the likeliest first.
-- in: build (rag_index_build_id), word
-- out: word; at most 20
SELECT word FROM index_word
WHERE rag_index_build_id = %(build)s AND word %% %(word)s AND similarity(word, %(word)s) >= 0.3
  AND length(word) BETWEEN length(%(word)s) - 2 AND length(%(word)s) + 2
ORDER BY similarity(word, %(word)s) DESC, word
LIMIT 20;
