-- The vectors of the chunks that a build serves of documents, document by document, each's first chunk first.
-- in: build, documents (ids), sample (characters of each first chunk; 0: none), chunks (the build's table)
-- out: document_id, chunk_embedding, text
SELECT s.document_id, k.chunk_embedding,
       CASE WHEN part.number = 1 THEN left(k.chunk_content, %(sample)s) END AS text
FROM published_document s
CROSS JOIN LATERAL unnest(s.chunk_ids) WITH ORDINALITY AS part (document_chunk_id, number)
JOIN {chunks} k ON k.rag_index_build_id = %(build)s AND k.document_chunk_id = part.document_chunk_id
WHERE s.rag_index_build_id = %(build)s AND s.document_id = ANY(%(documents)s::uuid[])
ORDER BY s.document_id, part.number
