-- The chunks of the documents that a filter leaves.
-- in: terms (table), allowed (condition on t), candidates (rows)
-- out: document_chunk_id
SELECT document_chunk_id FROM {terms} t WHERE true {allowed} LIMIT %(candidates)s;
