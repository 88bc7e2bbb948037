-- The chunks of a served document, in their order, or some of them; of a file that equals another those of that one.
-- in: workspace_id, document_id, build (rag_index_build_id), chunks (table), first, last (their positions)
-- out: chunk_id, position, heading_path, text, tokens, place (of a file: where in it)
SELECT k.document_chunk_id AS chunk_id, (part.number - 1)::int AS position, k.heading_path, k.chunk_content AS text,
       k.token_count AS tokens, nullif(s.places -> (part.number - 1)::int, 'null') AS place
FROM published_document s
JOIN document d USING (document_id)
CROSS JOIN LATERAL unnest(s.chunk_ids) WITH ORDINALITY AS part (document_chunk_id, number)
JOIN {chunks} k ON k.rag_index_build_id = s.rag_index_build_id AND k.document_chunk_id = part.document_chunk_id
WHERE s.rag_index_build_id = %(build)s AND k.rag_index_build_id = %(build)s
  AND s.document_id = coalesce(
      (SELECT r.related_document_id FROM document_relation r
       WHERE r.base_document_id = %(document_id)s::uuid AND r.relation_type = 'duplicate' AND r.origin = 'source'
         AND r.deleted_at IS NULL
       LIMIT 1),
      %(document_id)s::uuid)
  AND d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL
  AND part.number - 1 BETWEEN %(first)s AND %(last)s
ORDER BY part.number;
