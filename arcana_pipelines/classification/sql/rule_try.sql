-- What a rule would find: how many documents, some of them, and what people have said of them.
-- in: found (SQL and parameters of `conditions.matching`), node_id (its topic; NULL: any), shown (how many)
-- out: documents, rejected (not about this topic, by a person's word), elsewhere (about others by a person's word, and nobody has
--      said anything of this one), documents_shown (ids), titles_shown
WITH found AS MATERIALIZED (
    SELECT DISTINCT document_id, title FROM ({found}) every
), shown AS (
    SELECT document_id, title FROM found ORDER BY title, document_id LIMIT %(shown)s
)
SELECT (SELECT count(*) FROM found) AS documents,
       (SELECT count(*) FROM found f
        WHERE EXISTS (SELECT FROM taxonomy_decision k
                      WHERE k.doc_id = f.document_id AND k.node_id = %(node_id)s AND k.verdict = 'rejected')) AS rejected,
       (SELECT count(*) FROM found f
        WHERE %(node_id)s::uuid IS NOT NULL
          AND EXISTS (SELECT FROM taxonomy_decision k WHERE k.doc_id = f.document_id AND k.verdict = 'accepted')
          AND NOT EXISTS (SELECT FROM taxonomy_decision k
                          WHERE k.doc_id = f.document_id AND k.node_id = %(node_id)s)) AS elsewhere,
       coalesce((SELECT array_agg(document_id ORDER BY title, document_id) FROM shown), '{{}}') AS documents_shown,
       coalesce((SELECT array_agg(title ORDER BY title, document_id) FROM shown), '{{}}') AS titles_shown
