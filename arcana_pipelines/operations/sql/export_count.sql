-- How much an export will hold.
-- in: build (rag_index_build_id), internal (false: without private notes and their files)
-- out: documents, chunks
SELECT count(*) AS documents, coalesce(sum(cardinality(p.chunk_ids)), 0) AS chunks
FROM published_document p
JOIN document d USING (document_id)
WHERE p.rag_index_build_id = %(build)s AND (%(internal)s OR NOT d.is_internal);
