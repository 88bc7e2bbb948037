-- An answer that was given to a key or to one that it was rotated from or into, the newest with this id, and a chunk in it.
-- in: key_id, request_id, document_id (null: the answer as a whole), position (null: the document's first chunk)
-- out: the fields of Shown; no row where there is no such answer, or nothing of the kind in it
SELECT a.at, a.workspace_id, a.company_id, a.index_name, a.key_id, a.request_id, a.query_hash, s.document_id, s.position,
       s.place::int
FROM search_answers a
LEFT JOIN LATERAL (
    SELECT p.document_id, p.position, p.place
    FROM unnest(a.document_ids, a.positions) WITH ORDINALITY AS p (document_id, position, place)
    WHERE p.document_id = %(document_id)s::uuid AND p.position = coalesce(%(position)s::int, p.position)
    ORDER BY p.place
    LIMIT 1
) s ON true
WHERE a.request_id = %(request_id)s AND a.key_id = ANY (ARRAY(SELECT key_family(%(key_id)s)))
  AND (%(document_id)s::uuid IS NULL OR s.place IS NOT NULL)
ORDER BY a.at DESC
LIMIT 1;
