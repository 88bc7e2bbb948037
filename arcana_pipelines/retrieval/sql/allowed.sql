-- The chunks of the documents that a filter leaves.
SELECT document_chunk_id FROM {terms} t WHERE true {allowed} LIMIT %(candidates)s;
