-- Whether a text of the documents that filters leave has a word.
-- in: terms (table), allowed (condition on t), keys (of the word)
-- out: true, or no row
SELECT true FROM {terms} t WHERE keys && %(keys)s::int[] {allowed} LIMIT 1;
